// this_machine(): what the checks of the configuration want to know of where they run.
#include <arpa/inet.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <string>

#include "server/config_file.h"
#include "server/config_values.h"

namespace muster::server {
namespace {

constexpr const char* sysctl_folder = "/proc/sys/net/ipv4/";

/// The address that packets to elsewhere carry. Connecting a UDP socket chooses the route and sends
/// nothing; 192.0.2.1 is of a range kept for documentation.
std::string outward_address() {
  std::string address;
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return address;
  sockaddr_in there{};
  there.sin_family = AF_INET;
  there.sin_port = htons(9);
  ::inet_pton(AF_INET, "192.0.2.1", &there.sin_addr);
  sockaddr_in here{};
  socklen_t size = sizeof here;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&there), sizeof there) == 0 &&
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&here), &size) == 0) {
    std::array<char, INET_ADDRSTRLEN> text{};
    if (::inet_ntop(AF_INET, &here.sin_addr, text.data(), text.size())) address = text.data();
  }
  ::close(fd);
  return address;
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

core::PortRange ephemeral_ports() {
  std::ifstream in(std::string(sysctl_folder) + "ip_local_port_range");
  core::PortRange range;
  if (in >> range.first >> range.last) return range;
  return {};
}

/// "8080,9000-9100" in the kernel's words.
std::vector<core::PortRange> reserved_ports() {
  std::ifstream in(std::string(sysctl_folder) + "ip_local_reserved_ports");
  std::vector<core::PortRange> all;
  std::string part;
  while (std::getline(in, part, ',')) {
    while (!part.empty() && part.back() == '\n') part.pop_back();
    if (const auto range = parse_ports(part)) all.push_back(*range);
  }
  return all;
}

std::optional<std::uint32_t> uid_of(const std::string& user) {
  std::array<char, 16384> texts{};
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwnam_r(user.c_str(), &entry, texts.data(), texts.size(), &found) != 0 || !found)
    return std::nullopt;
  return entry.pw_uid;
}

}  // namespace

Machine this_machine() {
  Machine machine;
  machine.address = outward_address();
  if (machine.address.empty()) machine.address = host_name();
  if (machine.address.empty()) machine.address = "127.0.0.1";
  if (const char* path = std::getenv("PATH")) machine.search_path = path;
  machine.ephemeral_ports = ephemeral_ports();
  machine.reserved_ports = reserved_ports();
  machine.uid = ::geteuid();
  machine.uid_of = uid_of;
  return machine;
}

}  // namespace muster::server
