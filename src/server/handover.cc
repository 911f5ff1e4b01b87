#include "server/handover.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/read.hpp>
#include <cerrno>
#include <cstring>

namespace muster::server {
namespace asio = boost::asio;
using asio::local::stream_protocol;
using boost::system::error_code;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr char version_byte = 1;  // Comes with the sockets.
constexpr char leave_byte = 'L';
constexpr int sockets_count = 2;

std::string path_of(const std::string& data) { return data + "/lobby.sock"; }

union Control {
  cmsghdr header;
  std::array<char, CMSG_SPACE(sockets_count * sizeof(int))> bytes;
};

bool send_sockets(int connection, const HandOver::Sockets& sockets) {
  char version = version_byte;
  iovec data{&version, 1};
  Control control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = &control;
  message.msg_controllen = sizeof control;
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  const int fds[sockets_count] = {sockets.players, sockets.admin};
  header->cmsg_len = CMSG_LEN(sizeof fds);
  std::memcpy(CMSG_DATA(header), fds, sizeof fds);
  return ::sendmsg(connection, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
}

bool wait_to_read(int connection, steady_clock::time_point deadline) {
  for (;;) {
    pollfd poll{connection, POLLIN, 0};
    const auto left =
        std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now()).count();
    const int ready = ::poll(&poll, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
    if (ready < 0 && errno == EINTR) continue;
    return ready > 0;
  }
}

std::expected<HandedSockets, std::string> receive_sockets(int connection) {
  char version = 0;
  iovec data{&version, 1};
  Control control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = &control;
  message.msg_controllen = sizeof control;
  const ssize_t size = ::recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
  const cmsghdr* const header = size > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
  int fds[sockets_count] = {-1, -1};
  if (header && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof fds))
    std::memcpy(fds, CMSG_DATA(header), sizeof fds);
  HandedSockets sockets(fds[0], fds[1]);
  if (fds[0] >= 0 && version == version_byte) return sockets;
  return std::unexpected("the lobby that runs did not hand its sockets over");
}

/// Closed at the end of its block.
struct Connection {
  int fd = -1;
  ~Connection() {
    if (fd >= 0) ::close(fd);
  }
};

}  // namespace

HandedSockets::~HandedSockets() {
  for (const int fd : {players_, admin_})
    if (fd >= 0) ::close(fd);
}

HandOver::HandOver(asio::io_context& io, const std::string& data, std::function<Sockets()> sockets,
                   std::function<void()> leave)
    : path_(path_of(data)),
      sockets_(std::move(sockets)),
      leave_(std::move(leave)),
      acceptor_(io),
      next_(io) {}

HandOver::~HandOver() {
  if (acceptor_.is_open()) ::unlink(path_.c_str());
}

std::expected<void, std::string> HandOver::start() {
  ::unlink(path_.c_str());
  error_code error;
  acceptor_.open(stream_protocol(), error);
  const mode_t before = ::umask(0177);
  if (!error) acceptor_.bind(stream_protocol::endpoint(path_), error);
  ::umask(before);
  if (!error) acceptor_.listen(1, error);
  if (error) {
    error_code ignored;
    acceptor_.close(ignored);
    return std::unexpected(fmt::format("cannot listen on {}: {}", path_, error.message()));
  }
  accept();
  return {};
}

void HandOver::accept() {
  acceptor_.async_accept([this](error_code error, stream_protocol::socket socket) {
    if (error == asio::error::operation_aborted) return;
    if (error) return accept();
    serve(std::move(socket));
  });
}

void HandOver::serve(stream_protocol::socket socket) {
  next_ = std::move(socket);
  if (!send_sockets(next_.native_handle(), sockets_())) {
    error_code ignored;
    next_.close(ignored);
    return accept();
  }
  const auto byte = std::make_shared<char>();
  asio::async_read(next_, asio::buffer(byte.get(), 1), [this, byte](error_code error, std::size_t) {
    if (error == asio::error::operation_aborted) return;
    // The connection stays: that it ends says that this process has.
    if (!error && *byte == leave_byte) return leave_();
    error_code ignored;
    next_.close(ignored);
    accept();
  });
}

std::expected<HandedSockets, std::string> take_over(
    const std::string& data, milliseconds patience,
    const std::function<std::expected<void, std::string>()>& ready) {
  const std::string path = path_of(data);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return std::unexpected(fmt::format(
        "{} is too long for a unix socket: use a data folder with a shorter path", path));
  path.copy(address.sun_path, path.size());
  const Connection connection{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (connection.fd < 0 ||
      ::connect(connection.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
    if (errno == ENOENT || errno == ECONNREFUSED) return HandedSockets();  // None runs.
    return std::unexpected(
        fmt::format("cannot ask the lobby that runs, {}: {}", path, ::strerrordesc_np(errno)));
  }
  const auto deadline = steady_clock::now() + patience;
  if (!wait_to_read(connection.fd, deadline))
    return std::unexpected(fmt::format("the lobby that runs does not answer on {}", path));
  auto sockets = receive_sockets(connection.fd);
  if (!sockets) return sockets;
  if (auto can = ready(); !can) return std::unexpected(can.error());
  if (::send(connection.fd, &leave_byte, 1, MSG_NOSIGNAL) != 1)
    return std::unexpected("the lobby that runs has ended before it could be told to leave");
  char nothing = 0;
  if (!wait_to_read(connection.fd, deadline) || ::recv(connection.fd, &nothing, 1, 0) > 0)
    return std::unexpected(
        "the lobby that runs was told to leave and does not; it may do so still");
  return sockets;
}

}  // namespace muster::server
