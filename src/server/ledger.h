#pragma once
// What outlives the machine, between the loop and the file it is kept in: who may log in, results
// and the ratings that come of them, bans.

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

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
  /// The lobby is back: whoever is here is told to the core as the file has them, with ratings or
  /// as banned, since it may have died between the one and the other.
  void refresh();

  /// On the disk, and told to the core, before the answer.
  void end_season(store::SeasonEnd end, store::Accounts::Answer<store::SeasonEnded> answer);
  void ban(std::string name, std::string reason, std::optional<std::chrono::seconds> for_,
           store::Accounts::Answer<std::optional<store::Ban>> answer);

  /// For what only reads, and `unban`.
  store::Accounts& accounts() { return *accounts_; }
  const StorageStatus& status() const { return status_; }

 private:
  void recorded(std::vector<core::ResultRecorded> results);
  void trouble(std::string why);
  std::vector<std::int64_t> accounts_here() const;
  void refresh_ratings(const std::string& queue, std::vector<std::int64_t> accounts);

  boost::asio::io_context& io_;
  Loop& loop_;
  StorageStatus status_;
  std::unique_ptr<store::Accounts> accounts_;
};

}  // namespace muster::server
