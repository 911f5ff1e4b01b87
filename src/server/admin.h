#pragma once
// The admin HTTP API: what the lobby is doing, for operators, `muster ctl`, probes and Prometheus.
// docs/admin.md describes it, and a test keeps the two together.

#include <functional>

#include "net/http.h"
#include "server/loop.h"

namespace muster::server {

/// Answers requests from the core's state. Changes nothing itself: orders go into the loop as
/// events. Everything happens on the loop's thread.
///
///   GET  /v1/status  /v1/servers  /v1/servers/ID  /v1/tickets  /v1/matches
///   POST /v1/servers/ID/stop  {}                     one game server
///   POST /v1/stop             {"keepServers": bool}  the lobby, with or without its game servers
///   GET  /live  /ready  /metrics  /debug/events?last=N
///
/// There is no authentication: the port is loopback's. What a web page could make a browser on this
/// machine send is refused: a Host that is no loopback name (DNS rebinding), and a POST that is not
/// application/json (which a page may not send elsewhere without asking first).
class Admin {
 public:
  /// `stop` is called with "keepServers" when the lobby is told to stop, inside handle().
  Admin(Loop& loop, std::function<void(bool keep_servers)> stop)
      : loop_(loop), stop_(std::move(stop)) {}

  net::HttpResponse handle(const net::HttpRequest& request);

 private:
  net::HttpResponse get(const net::HttpRequest& request);
  net::HttpResponse post(const net::HttpRequest& request);
  net::HttpResponse ready() const;
  net::HttpResponse server(std::string_view id) const;
  net::HttpResponse servers(const net::HttpRequest& request) const;
  net::HttpResponse stop_server(std::string_view id);
  net::HttpResponse stop(const net::HttpRequest& request);

  Loop& loop_;
  std::function<void(bool)> stop_;
};

/// Whether a Host header names this machine by a loopback name or address, with or without a port.
bool is_loopback_host(std::string_view host);

}  // namespace muster::server
