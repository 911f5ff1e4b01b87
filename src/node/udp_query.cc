#include "node/udp_query.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "node/unique_fd.h"

namespace muster::node {
namespace {

// One turn's worth, so that a server that answers without end waits for the others.
constexpr int answers_per_turn_max = 16;

bool connect_to(int fd, const BoundSocket& to) {
  const bool everywhere =
      std::ranges::all_of(to.address.bytes, [](std::uint8_t byte) { return byte == 0; });
  if (to.address.family == AF_INET) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(to.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (!everywhere) std::memcpy(&address.sin_addr, to.address.bytes.data(), 4);
    return ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(to.port);
  address.sin6_addr = in6addr_loopback;
  if (!everywhere) std::memcpy(&address.sin6_addr, to.address.bytes.data(), 16);
  return ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

UdpQuery::UdpQuery(boost::asio::io_context& io, OnAnswer on_answer)
    : socket_(io.get_executor()), on_answer_(std::move(on_answer)) {}

UdpQuery::~UdpQuery() { close(); }

void UdpQuery::close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
  peer_.reset();
  alive_ = std::make_shared<bool>(true);
}

void UdpQuery::send(const BoundSocket& to, std::string_view request) {
  const bool same = peer_ && peer_->address == to.address && peer_->port == to.port;
  if (!same && !open(to)) return;
  // Twice, since an earlier request to a port that was not bound yet fails the next one.
  for (int attempt = 0; attempt < 2; ++attempt)
    if (::send(socket_.native_handle(), request.data(), request.size(), MSG_NOSIGNAL) >= 0 ||
        errno != ECONNREFUSED)
      return;
}

bool UdpQuery::open(const BoundSocket& to) {
  close();
  UniqueFd fd(::socket(to.address.family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd || !connect_to(fd.get(), to)) return false;
  boost::system::error_code error;
  socket_.assign(fd.get(), error);
  if (error) return false;
  fd.release();
  peer_ = to;
  wait();
  return true;
}

void UdpQuery::wait() {
  socket_.async_wait(Descriptor::wait_read, [this, alive = std::weak_ptr(alive_)](auto error) {
    static char buffer[64 * 1024];
    if (error || alive.expired()) return;
    for (int answers = 0; answers < answers_per_turn_max; ++answers) {
      const ssize_t n = ::recv(socket_.native_handle(), buffer, sizeof buffer, 0);
      if (n < 0) break;  // Nothing more; or an earlier request was refused.
      on_answer_({buffer, static_cast<std::size_t>(n)});
      if (alive.expired()) return;
    }
    wait();
  });
}

}  // namespace muster::node
