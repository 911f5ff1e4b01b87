#pragma once
// The admin HTTP API: what the lobby is doing, for operators, `muster ctl`, probes and Prometheus.
// docs/admin.md describes it, and a test keeps the two together.

#include <expected>
#include <functional>
#include <optional>
#include <vector>

#include "net/http.h"
#include "server/admin_ledger.h"
#include "server/config_file.h"
#include "server/journal_status.h"
#include "server/loop.h"
#include "server/storage_status.h"

namespace muster::server {

/// Answers requests from the core's state. Changes nothing itself: orders go into the loop as
/// events. Everything happens on the loop's thread.
///
///   GET  /v1/status  /v1/servers  /v1/servers/ID  /v1/tickets  /v1/matches
///   GET  /v1/servers?ended=1                         those that are no more
///   POST /v1/servers/ID/stop  {}                     one game server
///   POST /v1/fleets/NAME/clear {}                    its failures
///   POST /v1/drain, /v1/undrain {"fleet": NAME}      or "node", "server"; "name": fleet or node
///   POST /v1/reload           {}                     the configuration
///   POST /v1/stop             {"keepServers": bool}  the lobby, with or without its game servers
///   and of accounts what server/admin_ledger.h has
///   GET  /live  /ready  /metrics  /debug/events?last=N
///
/// There is no authentication: the port is loopback's. What a web page could make a browser on this
/// machine send is refused: a Host that is no loopback name (DNS rebinding), and a POST that is not
/// application/json (which a page may not send elsewhere without asking first).
class Admin {
 public:
  /// What the lobby itself is told; called inside handle().
  struct Orders {
    std::function<void(bool keep_servers)> stop;
    std::function<ReloadResult()> reload;
  };
  /// `ledger`: what is asked of it goes there; null: there is none.
  Admin(Loop& loop, Orders orders, const JournalStatus& journal, const StorageStatus& storage,
        AdminLedger* ledger = nullptr)
      : loop_(loop),
        orders_(std::move(orders)),
        journal_(journal),
        storage_(storage),
        ledger_(ledger) {}

  void handle(const net::HttpRequest& request, net::HttpAnswer answer);

 private:
  static std::optional<net::HttpResponse> check(const net::HttpRequest& request);
  net::HttpResponse get(const net::HttpRequest& request);
  net::HttpResponse post(const net::HttpRequest& request);
  net::HttpResponse ready() const;
  net::HttpResponse server(std::string_view id) const;
  net::HttpResponse why(std::string_view ticket_id) const;
  net::HttpResponse servers(const net::HttpRequest& request) const;
  net::HttpResponse stop_server(std::string_view id);
  net::HttpResponse set_rating(std::string_view player_id, const net::HttpRequest& request);
  net::HttpResponse stop(const net::HttpRequest& request);
  net::HttpResponse clear(std::string_view fleet);
  net::HttpResponse drain(const net::HttpRequest& request, bool draining);
  net::HttpResponse reload();
  bool has_fleet(std::string_view name) const;
  bool has_node(std::string_view name) const;

  Loop& loop_;
  Orders orders_;
  const JournalStatus& journal_;
  const StorageStatus& storage_;
  AdminLedger* const ledger_;
};

/// Whether a Host header names this machine by a loopback name or address, with or without a port.
bool is_loopback_host(std::string_view host);

}  // namespace muster::server
