#pragma once
// One running lobby: the loop, and every adapter around it.

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <expected>
#include <memory>
#include <string>

#include "net/http.h"
#include "net/net.h"
#include "net/node_link.h"
#include "server/admin.h"
#include "server/admin_ledger.h"
#include "server/config_file.h"
#include "server/data_folder.h"
#include "server/handover.h"
#include "server/journal_keeper.h"
#include "server/ledger.h"
#include "server/loop.h"
#include "server/recorder.h"
#include "server/recovery.h"
#include "wire/join_token.h"

namespace muster::server {

/// Not moved: its parts hold references to each other. Single-threaded but for password hashing.
class Lobby {
 public:
  /// Goes on where `recovered` ends.
  Lobby(ServerConfig config, DataFolder data, wire::JoinKey join_key, Recovered recovered,
        std::string program);
  ~Lobby();
  Lobby(const Lobby&) = delete;
  Lobby& operator=(const Lobby&) = delete;

  /// Opens accounts and ports, and looks for the node. An error is a sentence for people. `handed`:
  /// what another lobby listened on, to be used where the addresses are the same.
  std::expected<void, std::string> start(HandedSockets handed = {});
  /// What players do from now on is written there as well.
  void record_to(std::unique_ptr<RecordingFile> file) {
    recorder_ = std::make_unique<Recorder>(std::move(file));
  }
  /// Until it is told to stop; returns the exit code.
  int run();

  /// Ends the lobby. With `stop_servers` also every game server and the node; else they go on, and
  /// the next lobby on the data folder takes them back.
  void stop(bool stop_servers);

  /// Reads the configuration file again and goes on with it: what is worth saying about it, or
  /// everything that is wrong, in which case nothing has changed.
  ReloadResult reload();

  std::uint16_t players_port() const { return net_.port(); }
  std::uint16_t admin_port() const { return admin_http_.port(); }
  const ServerConfig& config() const { return config_; }

 private:
  void wait_for_signal();
  void stop_at_once();
  void wait_for_node_to_leave();
  void leave();
  bool prepare_join_tokens();
  std::string sign(const core::SendAssignment& assignment);
  net::NetOptions net_options();

  ServerConfig config_;
  DataFolder data_;
  wire::JoinKey join_key_;
  boost::asio::io_context io_{1};
  const bool returning_;  // Not the first lobby on this data folder.
  const Time left_at_;    // The time of the last event before, if so.
  Loop loop_;
  JournalKeeper journal_;
  Ledger ledger_;
  std::unique_ptr<Recorder> recorder_;  // If there is a recording.
  net::Net net_;
  net::NodeLink node_;
  AdminLedger admin_ledger_;
  Admin admin_;
  net::HttpServer admin_http_;
  HandOver hand_over_;
  boost::asio::signal_set signals_;
  boost::asio::steady_timer leaving_;
  Time leave_at_{};
  bool stopping_ = false;
  bool hurried_ = false;
};

}  // namespace muster::server
