#pragma once
// `muster play`: players from the terminal, through the client SDK.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace muster::cli {

struct PlayOptions {
  std::string lobby = "127.0.0.1:4100";  // HOST:PORT; the host may be a name.
  std::string name;                      // 1 to 32 bytes; with count > 1 a number is added.
  std::string password;                  // Empty: as a guest.
  bool sign_up = false;                  // With a password: makes the account first.
  std::string queue;
  std::uint32_t count = 1;           // Players, each with a connection of its own.
  std::uint32_t seats = 1;           // That each player takes.
  std::vector<std::string> command;  // Started for each assignment; empty: none. {placeholders}.
  bool json = false;                 // Events as JSON lines.
  bool once = false;                 // Done when assigned; without a command only.
  std::chrono::milliseconds timeout{0};  // To be assigned within; 0: no limit.
};

/// `muster play`. Sets `exit_code` as run_play returns it.
void add_play_command(CLI::App& app, int& exit_code);

/// Connects, presses Match Start, and stays until every player's match has ended (or as the options
/// say). Ctrl-C and SIGTERM take tickets back and leave matches first. Prints to `out`.
/// Returns 0; 1 if a player could not play; 130 after Ctrl-C; or the first exit code of a command
/// that was not 0 (128 and the signal's number if one ended it).
int run_play(const PlayOptions& options, std::FILE* out, std::FILE* err);

}  // namespace muster::cli
