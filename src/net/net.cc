#include "net/net.h"

#include <fmt/format.h>

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <cstdio>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/slot_map.h"
#include "net/convert.h"
#include "net/listener.h"
#include "net/session.h"

namespace muster::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

// Connections over sessions_max that are let in just far enough to be told so.
constexpr std::uint32_t refused_sessions_max = 64;
constexpr std::chrono::seconds log_interval{10};

// An IPv4 client of a listener on [::] is ::ffff:a.b.c.d here, and a.b.c.d to itself.
std::string text_of(const asio::ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
  return address.to_string();
}

NetOptions with_defaults(NetOptions options) {
  if (!options.now) options.now = [] { return Time{Clock::now().time_since_epoch()}; };
  if (!options.log)
    options.log = [](std::string_view line) {
      std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
    };
  CHECK(options.messages_per_second > 0 && options.messages_burst > 0, "some messages are allowed");
  return options;
}

}  // namespace

// Sessions are only ever erased at the end of a turn, in settle(): whatever post() leads to, the
// session that is being read stays where it is until its handler is through.
class Net::Impl final : public SessionHost, public std::enable_shared_from_this<Net::Impl> {
 public:
  Impl(asio::io_context& io, NetOptions o, std::function<void(core::Event&&)> p)
      : SessionHost(with_defaults(std::move(o)), std::move(p)),
        io_(io),
        listener_(
            io, options.listen, [this](Socket socket) { accept(std::move(socket)); }, options.log),
        timer_(io.get_executor()) {
    now = options.now();
  }

  std::expected<void, std::string> start(int inherited) {
    auto started = listener_.start(inherited);
    if (started) wait_sweep();
    return started;
  }
  void stop() { listener_.stop(); }
  int listening_socket() { return listener_.native_handle(); }
  void close_all(core::Error why) {
    sessions_.for_each([&](core::SessionId id, Session& session) {
      session.deliver(core::CloseSession{id, why});
    });
    flush();
  }
  std::uint16_t port() const { return listener_.port(); }

  // Everything at once and without a word: the owner is going away.
  void shut() {
    listener_.stop();
    sessions_.for_each([&](core::SessionId id, Session&) { sessions_.erase(id); });
  }

  bool apply(const core::Effect& effect) {
    const core::SessionId id = session_of(effect);
    if (!id) return false;
    if (Session* session = sessions_.find(id)) session->deliver(effect);
    return true;
  }

  void flush() {
    if (turns_ == 0) now = options.now();
    flush_noted();
    // Who left is told to the core in a turn of its own: flush() may be called from the middle of
    // the owner's.
    if (turns_ > 0 || leaving_.empty() || std::exchange(settle_posted_, true)) return;
    asio::post(io_, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self) return;
      self->settle_posted_ = false;
      Turn turn(*self);
    });
  }

  std::optional<SessionEnds> ends_of(core::SessionId id) const {
    const Session* session = sessions_.find(id);
    if (!session) return std::nullopt;
    error_code ec;
    const auto peer = session->socket().remote_endpoint(ec);
    if (ec) return std::nullopt;
    const auto local = session->socket().local_endpoint(ec);
    if (ec) return std::nullopt;
    return SessionEnds{text_of(peer.address()), peer.port(), text_of(local.address()),
                       local.port()};
  }

  NetStats count() const {
    NetStats out = stats;
    out.refused_no_descriptor = listener_.refused();
    sessions_.for_each([&](core::SessionId, const Session& session) {
      if (session.stage() != Session::Stage::open) {
        ++out.sessions_closing;
        return;
      }
      switch (session.dialect()) {
        case Dialect::unknown:
          ++out.sessions_unknown;
          break;
        case Dialect::http:
          ++out.sessions_http;
          break;
        case Dialect::native:
          ++out.sessions_native;
          break;
        case Dialect::ws_binary:
        case Dialect::ws_json:
          ++out.sessions_websocket;
          break;
        case Dialect::classic:
          ++out.sessions_classic;
          break;
      }
    });
    return out;
  }

 private:
  // One handler's run: reads the clock at its start; at its end sends, and settles who left.
  class Turn {
   public:
    explicit Turn(Impl& impl) : impl_(impl) {
      if (impl_.turns_++ == 0) impl_.now = impl_.options.now();
    }
    ~Turn() {
      if (impl_.turns_ == 1) impl_.settle();
      --impl_.turns_;
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    Impl& impl_;
  };

  void accept(Socket socket) {
    Turn turn(*this);
    ++stats.accepted;
    const bool full = sessions_.size() >= options.sessions_max;
    if (full) ++stats.refused_full;
    if (sessions_.size() >= options.sessions_max + refused_sessions_max) return;  // Closes it.
    const core::SessionId id = sessions_.emplace(std::move(socket), *this, full);
    sessions_[id].start(id);
  }

  // Handlers hold the Impl weakly, and an id: each misses once what it names is gone.
  void wait_read(core::SessionId id, Socket& socket) override {
    socket.async_wait(Socket::wait_read, [weak = weak_from_this(), id](error_code ec) {
      const auto self = weak.lock();
      if (!self || ec == asio::error::operation_aborted) return;
      Turn turn(*self);
      if (Session* session = self->sessions_.find(id)) session->readable();
    });
  }

  void wait_write(core::SessionId id, Socket& socket) override {
    socket.async_wait(Socket::wait_write, [weak = weak_from_this(), id](error_code ec) {
      const auto self = weak.lock();
      if (!self || ec == asio::error::operation_aborted) return;
      Turn turn(*self);
      if (Session* session = self->sessions_.find(id)) session->writable();
    });
  }

  void note_outbound(core::SessionId id) override { outbound_.push_back(id); }
  void note_leaving(core::SessionId id) override { leaving_.push_back(id); }

  void check_account(core::SessionId id, AccountRequest request) override {
    AccountRequest asked = request;
    options.accounts(std::move(asked), [weak = weak_from_this(), id,
                                        request = std::move(request)](const AccountReply& reply) {
      const auto self = weak.lock();
      if (!self) return;
      Turn turn(*self);
      if (Session* session = self->sessions_.find(id)) session->account_checked(request, reply);
    });
  }

  void log_rarely(std::string_view line) override {
    const auto at = Clock::now();
    if (logged_ && at - *logged_ < log_interval) return;
    logged_ = at;
    options.log(line);
  }

  void flush_noted() {
    for (std::size_t i = 0; i < outbound_.size(); ++i)
      if (Session* session = sessions_.find(outbound_[i])) session->flush();
    outbound_.clear();
  }

  void settle() {
    flush_noted();
    for (std::size_t i = 0; i < leaving_.size(); ++i) {
      const core::SessionId id = leaving_[i];
      Session* session = sessions_.find(id);
      if (!session) continue;
      if (session->take_closed()) post(core::SessionClosed{id});
      if (session->stage() == Session::Stage::gone) sessions_.erase(id);
      if (!outbound_.empty()) flush_noted();
    }
    leaving_.clear();
  }

  void wait_sweep() {
    timer_.expires_after(options.sweep_interval);
    timer_.async_wait([weak = weak_from_this()](error_code ec) {
      const auto self = weak.lock();
      if (!self || ec) return;
      self->sweep();
      self->wait_sweep();
    });
  }

  void sweep() {
    Turn turn(*this);
    // Sessions that came together would be pinged together, in one long turn: so only twice as
    // many in a sweep as an even spread would need.
    std::uint32_t pings_left = 16;
    if (options.ping_interval > Duration::zero())
      pings_left += static_cast<std::uint32_t>(2 * sessions_.size() * options.sweep_interval /
                                               options.ping_interval);
    sessions_.for_each([&](core::SessionId, Session& session) {
      if (session.sweep(pings_left)) --pings_left;
    });
  }

  asio::io_context& io_;
  SlotMap<core::SessionId, Session> sessions_;
  std::vector<core::SessionId> outbound_;  // Have something to send.
  std::vector<core::SessionId> leaving_;   // Closing or gone since the last settle().
  int turns_ = 0;                          // Depth: a handler may run inside another's post().
  bool settle_posted_ = false;
  Listener listener_;
  asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, asio::io_context::executor_type>
      timer_;
  std::optional<Clock::time_point> logged_;
};

Net::Net(asio::io_context& io, NetOptions options, std::function<void(core::Event&&)> post)
    : impl_(std::make_shared<Impl>(io, std::move(options), std::move(post))) {}
Net::~Net() { impl_->shut(); }
std::expected<void, std::string> Net::start(int inherited) { return impl_->start(inherited); }
int Net::listening_socket() { return impl_->listening_socket(); }
void Net::stop() { impl_->stop(); }
void Net::close_all(core::Error why) { impl_->close_all(why); }
std::uint16_t Net::port() const { return impl_->port(); }
bool Net::apply(const core::Effect& effect) { return impl_->apply(effect); }
void Net::flush() { impl_->flush(); }
std::optional<SessionEnds> Net::ends_of(core::SessionId session) const {
  return impl_->ends_of(session);
}
NetStats Net::stats() const { return impl_->count(); }

}  // namespace muster::net
