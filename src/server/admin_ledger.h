#pragma once
// The part of the admin API that is about accounts: leaderboards, ratings, seasons, bans.

#include "net/http.h"
#include "server/ledger.h"
#include "server/loop.h"

namespace muster::server {

/// Answers later, for what it is asked is on the disk; the loop goes on meanwhile.
///
///   GET  /v1/leaderboards/QUEUE?limit=N&offset=N     or ?name=NAME: where an account stands
///   POST /v1/leaderboards/QUEUE/season {"keep": 0.5}
///   GET  /v1/ratings?name=NAME
///   GET  /v1/bans?limit=N
///   POST /v1/bans {"name": NAME, "reason": TEXT, "forSeconds": N}
///   POST /v1/unban {"name": NAME}
class AdminLedger {
 public:
  AdminLedger(const Loop& loop, Ledger& ledger) : loop_(loop), ledger_(ledger) {}

  /// False if the request is about something else.
  bool handle(const net::HttpRequest& request, const net::HttpAnswer& answer);

 private:
  void leaderboard(std::string queue, const net::HttpRequest& request, net::HttpAnswer answer);
  void end_season(std::string queue, const net::HttpRequest& request, net::HttpAnswer answer);
  void ratings(const net::HttpRequest& request, net::HttpAnswer answer);
  void bans(const net::HttpRequest& request, net::HttpAnswer answer);
  void ban(const net::HttpRequest& request, net::HttpAnswer answer);
  void unban(const net::HttpRequest& request, net::HttpAnswer answer);
  /// Null: no queue that is configured has that name.
  const core::QueueConfig* queue_named(std::string_view name) const;

  const Loop& loop_;
  Ledger& ledger_;
};

}  // namespace muster::server
