#include "server/ledger.h"

#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <cstdio>
#include <string_view>
#include <utility>

#include "core/state.h"

namespace muster::server {
namespace {

net::AccountOutcome to_net(store::AccountOutcome outcome) {
  switch (outcome) {
    case store::AccountOutcome::ok:
      return net::AccountOutcome::ok;
    case store::AccountOutcome::name_unknown:
      return net::AccountOutcome::name_unknown;
    case store::AccountOutcome::login_refused:
      return net::AccountOutcome::login_refused;
    case store::AccountOutcome::name_invalid:
      return net::AccountOutcome::name_invalid;
    case store::AccountOutcome::name_taken:
      return net::AccountOutcome::name_taken;
    case store::AccountOutcome::banned:
      return net::AccountOutcome::banned;
    case store::AccountOutcome::storage_unavailable:
      return net::AccountOutcome::storage_unavailable;
  }
  return net::AccountOutcome::storage_unavailable;
}

void complain(std::string_view what, const std::string& why) {
  fmt::print(stderr, "muster: {}: {}\n", what, why);
}

}  // namespace

std::expected<void, std::string> Ledger::open(const std::string& path,
                                              store::AccountsOptions options) {
  auto opened = store::Accounts::open(
      path, [this](auto function) { boost::asio::post(io_, std::move(function)); }, options,
      {.recorded = [this](auto results) { recorded(std::move(results)); },
       .trouble = [this](std::string why) { trouble(std::move(why)); }});
  if (!opened) return std::unexpected(opened.error());
  accounts_ = std::move(*opened);
  return {};
}

void Ledger::check_account(net::AccountRequest request,
                           std::function<void(net::AccountReply)> done) {
  auto reply = [done = std::move(done)](store::AccountResult result) {
    const bool banned = result.outcome == store::AccountOutcome::banned;
    if (!result.detail.empty() && !banned)
      fmt::print(stderr, "muster: accounts: {}\n", result.detail);
    done({to_net(result.outcome), result.account, std::move(result.ratings),
          banned ? std::move(result.detail) : std::string{}});
  };
  if (request.kind == net::AccountRequest::Kind::sign_up)
    accounts_->sign_up(std::move(request.name), std::move(request.password), std::move(reply));
  else
    accounts_->log_in(std::move(request.name), std::move(request.password), std::move(reply));
}

bool Ledger::apply(const core::Effect& effect) {
  const auto* const result = std::get_if<core::RecordResult>(&effect);
  if (result) accounts_->record(*result);
  return result != nullptr;
}

void Ledger::refresh() {
  const std::vector<std::int64_t> here = accounts_here();
  if (here.empty()) return;
  accounts_->read_banned(here, [this](store::OrError<std::vector<std::int64_t>> banned) {
    if (!banned) return complain("bans could not be looked up", banned.error());
    for (const std::int64_t account : *banned) loop_.post(core::AccountBanned{account});
  });
  const core::State& state = loop_.core().state();
  for (std::size_t i = 0; i < state.queues.size(); ++i)
    if (!state.queues[i].removed &&
        state.config.queues[i].rating.system != core::RatingSystem::none)
      refresh_ratings(state.config.queues[i].name, here);
}

void Ledger::end_season(store::SeasonEnd end, store::Accounts::Answer<store::SeasonEnded> answer) {
  const std::string queue = end.queue;
  accounts_->end_season(std::move(end), [this, queue, answer = std::move(answer)](
                                            store::OrError<store::SeasonEnded> ended) {
    std::vector<std::int64_t> here = accounts_here();
    if (ended && !here.empty()) refresh_ratings(queue, std::move(here));
    answer(std::move(ended));
  });
}

void Ledger::ban(std::string name, std::string reason, std::optional<std::chrono::seconds> for_,
                 store::Accounts::Answer<std::optional<store::Ban>> answer) {
  accounts_->ban(
      std::move(name), std::move(reason), for_,
      [this, answer = std::move(answer)](store::OrError<std::optional<store::Ban>> banned) {
        if (banned && *banned) loop_.post(core::AccountBanned{(*banned)->account});
        answer(std::move(banned));
      });
}

std::vector<std::int64_t> Ledger::accounts_here() const {
  std::vector<std::int64_t> here;
  for (const auto& [account, player] : loop_.core().state().accounts) here.push_back(account);
  return here;
}

void Ledger::refresh_ratings(const std::string& queue, std::vector<std::int64_t> accounts) {
  accounts_->read_ratings_in(
      queue, std::move(accounts),
      [this, queue](store::OrError<std::vector<core::AccountRating>> ratings) {
        if (!ratings) return complain("ratings could not be looked up", ratings.error());
        loop_.post(core::RatingsChanged{queue, std::move(*ratings)});
      });
}

void Ledger::recorded(std::vector<core::ResultRecorded> results) {
  for (core::ResultRecorded& result : results) loop_.post(std::move(result));
}

void Ledger::trouble(std::string why) {
  if (why.empty()) {
    fmt::print(stderr, "muster: results are recorded again\n");
  } else {
    fmt::print(stderr, "muster: results wait to be recorded; matches go on: {}\n", why);
    ++status_.failures;
  }
  status_.healthy = why.empty();
  status_.error = std::move(why);
}

}  // namespace muster::server
