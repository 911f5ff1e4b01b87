#include "net/listener.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <optional>
#include <utility>

namespace muster::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr int accepts_per_wake_max = 64;  // Then others get their turn.
constexpr int refusals_in_a_row_max = 16;
constexpr std::chrono::milliseconds backoff{50};
constexpr std::chrono::seconds report_interval{10};

std::optional<tcp::endpoint> parse(std::string_view address) {
  const auto colon = address.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = address.substr(0, colon), port_text = address.substr(colon + 1);
  std::uint16_t port = 0;
  const char* const begin = port_text.data();
  const char* const end = begin + port_text.size();
  const auto [rest, bad] = std::from_chars(begin, end, port);
  if (bad != std::errc{} || rest != end) return std::nullopt;
  if (host == "localhost") host = "127.0.0.1";
  const bool bracketed = host.starts_with('[') && host.ends_with(']') && host.size() > 2;
  if (bracketed) host = host.substr(1, host.size() - 2);
  error_code ec;
  const auto ip = asio::ip::make_address(std::string(host), ec);
  if (ec || ip.is_v6() != bracketed) return std::nullopt;
  return tcp::endpoint{ip, port};
}

std::string what_to_do(const error_code& ec) {
  if (ec == asio::error::address_in_use)
    return "another program listens there (perhaps another muster). Stop it, or choose another "
           "port.";
  if (ec == asio::error::access_denied)
    return "not allowed. Ports below 1024 need privileges: choose one from 1024 up.";
  if (ec.value() == EADDRNOTAVAIL)
    return "this machine has no such address. 0.0.0.0 stands for all it has, 127.0.0.1 for "
           "itself.";
  return ec.message() + ".";
}

}  // namespace

struct Listener::State : std::enable_shared_from_this<State> {
  State(asio::io_context& io, std::string where, OnAccept accept, Log log_line)
      : on_accept(std::move(accept)),
        log(std::move(log_line)),
        address(std::move(where)),
        context(io),
        acceptor(io.get_executor()),
        timer(io.get_executor()) {}
  ~State() {
    if (reserve >= 0) ::close(reserve);
  }

  std::expected<void, std::string> start(int inherited) {
    const auto endpoint = parse(address);
    if (inherited >= 0 && endpoint && adopt(inherited, *endpoint)) return {};
    if (!endpoint)
      return std::unexpected(fmt::format(
          "cannot listen on \"{}\": write it as host:port, for example 127.0.0.1:4100 or "
          "[::1]:4100.",
          address));
    error_code ec;
    acceptor.open(endpoint->protocol(), ec);
    if (!ec) acceptor.set_option(asio::socket_base::reuse_address(true), ec);
    if (!ec && endpoint->address().is_v6() && endpoint->address().is_unspecified())
      acceptor.set_option(asio::ip::v6_only(false), ec);
    if (!ec) acceptor.bind(*endpoint, ec);
    if (!ec) acceptor.listen(asio::socket_base::max_listen_connections, ec);
    if (ec) {
      error_code ignored;
      acceptor.close(ignored);
      return std::unexpected(fmt::format("cannot listen on {}: {}", address, what_to_do(ec)));
    }
    begin(endpoint->protocol());
    return {};
  }

  /// False, and it is closed, if it does not listen on that address. A port that the kernel was to
  /// choose may be any.
  bool adopt(int inherited, const tcp::endpoint& wanted) {
    error_code ec;
    acceptor.assign(wanted.protocol(), inherited, ec);
    if (ec) {
      ::close(inherited);
      return false;
    }
    const tcp::endpoint is = acceptor.local_endpoint(ec);
    if (!ec && is.address() == wanted.address() &&
        (is.port() == wanted.port() || wanted.port() == 0)) {
      begin(wanted.protocol());
      return true;
    }
    acceptor.close(ec);
    return false;
  }

  void begin(const tcp& protocol) {
    error_code ec;
    acceptor.native_non_blocking(true, ec);
    port = acceptor.local_endpoint(ec).port();
    family = protocol;
    open_reserve();
    wait();
  }

  void wait() {
    acceptor.async_wait(tcp::acceptor::wait_read, [self = shared_from_this()](error_code ec) {
      if (!ec && self->acceptor.is_open()) self->accept_some();
    });
  }

  void wait_a_little() {
    timer.expires_after(backoff);
    timer.async_wait([self = shared_from_this()](error_code ec) {
      if (!ec && self->acceptor.is_open()) self->wait();
    });
  }

  void accept_some() {
    int refusals = 0;
    for (int i = 0; i < accepts_per_wake_max && acceptor.is_open(); ++i) {
      const int fd = ::accept4(acceptor.native_handle(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd >= 0) {
        Socket socket{context.get_executor()};
        error_code ec;
        socket.assign(family, fd, ec);
        if (ec) {
          ::close(fd);
          note_refused(ec.message());
        } else {
          on_accept(std::move(socket));
        }
        continue;
      }
      switch (errno) {
        case EAGAIN:
          return wait();
        case EINTR:
        case ECONNABORTED:
          continue;
        case EMFILE:
        case ENFILE:
          // The connection would stay in the queue and wake us for ever. The reserve descriptor
          // is there to take it off and close it, so that its client knows at once.
          if (!refuse_one() || ++refusals >= refusals_in_a_row_max) return wait_a_little();
          continue;
        default:  // ENOBUFS, ENOMEM, an error of the new connection's own network: not for long.
          note_refused(std::generic_category().message(errno));
          return wait_a_little();
      }
    }
    if (acceptor.is_open()) wait();
  }

  // False if there was none: without a free descriptor accept() fails before it looks.
  bool refuse_one() {
    const std::string why = std::generic_category().message(errno);
    if (reserve < 0) open_reserve();
    if (reserve < 0) return false;
    ::close(reserve);
    const int fd = ::accept4(acceptor.native_handle(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd >= 0) ::close(fd);
    open_reserve();
    if (fd >= 0) note_refused(why);
    return fd >= 0;
  }

  void open_reserve() { reserve = ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

  void note_refused(const std::string& why) {
    ++refused;
    const auto now = std::chrono::steady_clock::now();
    if (reported && now - *reported < report_interval) return;
    reported = now;
    log(
        fmt::format("{}: connections are being closed: {} ({} so far). Raise the limit (ulimit -n) "
                    "or lower sessions_max.",
                    address, why, refused));
  }

  OnAccept on_accept;
  Log log;
  std::string address;
  asio::io_context& context;
  asio::basic_socket_acceptor<tcp, asio::io_context::executor_type> acceptor;
  asio::basic_waitable_timer<std::chrono::steady_clock,
                             asio::wait_traits<std::chrono::steady_clock>,
                             asio::io_context::executor_type>
      timer;
  tcp family = tcp::v4();
  std::uint16_t port = 0;
  int reserve = -1;
  std::uint64_t refused = 0;
  std::optional<std::chrono::steady_clock::time_point> reported;
};

Listener::Listener(asio::io_context& io, std::string address, OnAccept on_accept, Log log)
    : state_(
          std::make_shared<State>(io, std::move(address), std::move(on_accept), std::move(log))) {}
Listener::~Listener() { stop(); }

std::expected<void, std::string> Listener::start(int inherited) { return state_->start(inherited); }
int Listener::native_handle() {
  return state_->acceptor.is_open() ? state_->acceptor.native_handle() : -1;
}

void Listener::stop() {
  error_code ignored;
  state_->acceptor.close(ignored);  // A timer still waiting sees it closed.
}

std::uint16_t Listener::port() const { return state_->port; }
std::uint64_t Listener::refused() const { return state_->refused; }

}  // namespace muster::net
