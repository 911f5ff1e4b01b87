#pragma once

#include <boost/json/object.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "base/time.h"

namespace CLI {
class App;
}

namespace muster::cli {

struct CtlOptions {
  std::string admin = "127.0.0.1:4180";
  bool json = false;  // The API's own answer instead of a table.
  Duration timeout = std::chrono::seconds{10};
};

/// `muster ctl status|servers|tickets|matches|why|stop|reload|clear|drain|undrain`, and those of
/// add_ledger_commands: asks a running lobby over its admin API. Sets `exit_code` to 0, or to 1 if
/// the lobby could not be reached or refused.
void add_ctl_command(CLI::App& app, int& exit_code);

/// `leaderboard|ratings|season-reset|ban|unban|bans`, under `ctl`.
void add_ledger_commands(CLI::App& ctl, std::shared_ptr<const CtlOptions> options, int& exit_code);

/// One request; prints its answer to `out` or what went wrong to `err`. Returns the exit code.
/// What is printed is `view` of the answer, or the answer itself with options.json.
int run_ctl(const CtlOptions& options, std::string_view method, std::string_view path,
            std::string_view body, std::string (*view)(const boost::json::object&), std::FILE* out,
            std::FILE* err);

/// The API's answers as text for a terminal. Members that are missing are left blank, so that an
/// older or newer lobby is shown as far as it is understood.
std::string status_text(const boost::json::object& status);
std::string servers_text(const boost::json::object& answer);
std::string tickets_text(const boost::json::object& answer);
std::string matches_text(const boost::json::object& answer);
std::string why_text(const boost::json::object& answer);
std::string ended_text(const boost::json::object& answer);
std::string stopped_text(const boost::json::object& answer);
std::string reloaded_text(const boost::json::object& answer);
std::string cleared_text(const boost::json::object& answer);
std::string drained_text(const boost::json::object& answer);
std::string leaderboard_text(const boost::json::object& answer);
std::string ratings_text(const boost::json::object& answer);
std::string season_text(const boost::json::object& answer);
std::string bans_text(const boost::json::object& answer);
std::string banned_text(const boost::json::object& answer);
std::string unbanned_text(const boost::json::object& answer);

}  // namespace muster::cli
