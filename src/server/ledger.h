#pragma once
// What outlives the machine, between the loop and the file it is kept in: who may log in, results
// and the ratings that come of them, bans.

#include <boost/asio/io_context.hpp>
#include <expected>
#include <functional>
#include <memory>
#include <string>

#include "core/effect.h"
#include "net/options.h"
#include "server/loop.h"
#include "server/storage_status.h"
#include "store/accounts.h"

namespace muster::server {

class Ledger {
 public:
  Ledger(boost::asio::io_context& io, Loop& loop) : io_(io), loop_(loop) {}

  /// Opens or creates the file; blocks while it does. An error is a sentence for people.
  std::expected<void, std::string> open(const std::string& path,
                                        store::AccountsOptions options = {});

  void check_account(net::AccountRequest request, std::function<void(net::AccountReply)> done);
  /// Takes RecordResult: true. Others are not its: false.
  bool apply(const core::Effect& effect);
  /// The ratings of a queue's players who are here are looked up and told to the core: after a new
  /// season, or for all queues when the lobby is back.
  void refresh_ratings(const std::string& queue);
  void refresh_ratings();

  store::Accounts& accounts() { return *accounts_; }
  const StorageStatus& status() const { return status_; }

 private:
  void recorded(std::vector<core::ResultRecorded> results);
  void trouble(std::string why);

  boost::asio::io_context& io_;
  Loop& loop_;
  StorageStatus status_;
  std::unique_ptr<store::Accounts> accounts_;
};

}  // namespace muster::server
