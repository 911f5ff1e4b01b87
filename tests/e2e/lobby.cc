#include "lobby.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <csignal>
#include <exception>
#include <filesystem>
#include <stdexcept>

#include "sockets.h"

namespace muster::e2e {

namespace json = boost::json;

const std::string programs::muster = E2E_MUSTER;
const std::string programs::duel_server = E2E_DUEL_SERVER;
const std::string programs::duel_client = E2E_DUEL_CLIENT;
const std::string programs::plain_server = E2E_PLAIN_SERVER;
const std::string programs::classic_server = E2E_CLASSIC_SERVER;
const std::string programs::minimal_server = E2E_MINIMAL_SERVER;
const std::string programs::fork_server = E2E_FORK_SERVER;
const std::string programs::fork_days_server = E2E_FORK_DAYS_SERVER;

std::vector<std::string> shell(const std::string& script) { return {"/bin/sh", "-c", script}; }

Lobby::Lobby(LobbyOptions options) : options_(std::move(options)) {
  const std::uint16_t first = free_ports(static_cast<std::uint16_t>(options_.ports + 2));
  port_ = first;
  admin_port_ = static_cast<std::uint16_t>(first + 1);
  first_port_ = static_cast<std::uint16_t>(first + 2);
  write_file(config_file(), configuration());
  try {
    start();
  } catch (...) {
    show_logs();
    throw;
  }
}

Lobby::~Lobby() {
  try {
    end_all();
  } catch (const std::exception& e) {
    ADD_FAILURE() << e.what();
  }
  if (testing::Test::HasFailure() || std::uncaught_exceptions() > 0) show_logs();
}

void Lobby::start() {
  const std::size_t said_before = output().size();
  std::vector<std::string> command{programs::muster, "serve", config_file()};
  command.insert(command.end(), options_.arguments.begin(), options_.arguments.end());
  process_ = std::make_unique<Process>(
      std::move(command),
      ProcessOptions{folder_.path(), folder_ / "output", options_.open_files_max});
  wait_until("the lobby to listen", [&] {
    if (!running()) throw std::runtime_error("the lobby has ended: " + output());
    return output().find("muster: players on", said_before) != std::string::npos;
  });
  if (!options_.has_node) return;
  // A lobby that is ended before its node has come up leaves nobody to ask whether one is left.
  wait_until("the node to be connected", [&] {
    const Ran status = ctl({"status", "--json"});
    return status.exit_code == 0 && status.output.find("\"connected\":true") != std::string::npos;
  });
}

int Lobby::take_over() {
  const std::size_t said_before = output().size();
  auto next = std::make_unique<Process>(
      std::vector<std::string>{programs::muster, "serve", "--takeover", config_file()},
      ProcessOptions{folder_.path(), folder_ / "output", options_.open_files_max});
  wait_until("the new lobby to listen", [&] {
    if (!next->running()) throw std::runtime_error("the new lobby has ended: " + output());
    return output().find("muster: players on", said_before) != std::string::npos;
  });
  const int left = process_->wait();
  process_ = std::move(next);
  return left;
}

void Lobby::change(const std::function<void(LobbyOptions&)>& change) {
  change(options_);
  write_file(config_file(), configuration());
}

int Lobby::end(int signal) {
  process_->signal(signal);
  return process_->wait();
}

// SIGINT to the lobby ends all it has started; without a lobby, SIGTERM to the node does.
void Lobby::end_all() {
  if (running()) {
    EXPECT_EQ(end(SIGINT), 0) << "the lobby's exit code";
  } else if (const auto node = find_node()) {
    ::kill(*node, SIGTERM);
  }
  eventually([&] { return processes_in(folder_.path()).empty(); });  // The node goes last.
  for (const pid_t pid : processes_in(folder_.path())) {
    ADD_FAILURE() << "process " << pid
                  << " is left behind: " << fmt::format("{}", fmt::join(arguments_of(pid), " "));
    ::kill(pid, SIGKILL);
  }
}

void Lobby::show_logs() const {
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path(), error)) {
    const std::string name = entry.path().filename();
    if (!entry.is_regular_file() || !(name == "output" || name.ends_with(".log"))) continue;
    const std::string text = read_file(entry.path());
    if (!text.empty())
      fmt::print(stderr, "--- {}\n{}\n", entry.path().string(),
                 text.substr(0, std::min<std::size_t>(text.size(), 4000)));
  }
}

std::string Lobby::configuration() const {
  std::string command;
  for (std::string word : options_.command) {
    if (const auto at = word.find(lobby_port_mark); at != std::string::npos)
      word.replace(at, lobby_port_mark.size(), std::to_string(port_));
    command += (command.empty() ? "" : ", ") + std::string("'''") + word + "'''";
  }
  return fmt::format(
      "[lobby]\n"
      "listen = \"127.0.0.1:{port}\"\n"
      "admin = \"127.0.0.1:{admin}\"\n"
      "host = \"127.0.0.1\"\n"
      "data = \"{data}\"\n"
      "{lobby}\n"
      "[limits]\n"
      "{limits}\n"
      "[[fleet]]\n"
      "name = \"game\"\n"
      "command = [{command}]\n"
      "ports = \"{first}-{last}\"\n"
      "{fleet}\n"
      "[[queue]]\n"
      "name = \"duel\"\n"
      "fleet = \"game\"\n"
      "players = {players}\n"
      "{queue}\n",
      fmt::arg("port", port_), fmt::arg("admin", admin_port_), fmt::arg("data", options_.data),
      fmt::arg("lobby", options_.lobby), fmt::arg("limits", options_.limits),
      fmt::arg("command", command), fmt::arg("first", first_port_),
      fmt::arg("last", first_port_ + options_.ports - 1), fmt::arg("fleet", options_.fleet),
      fmt::arg("players", options_.players), fmt::arg("queue", options_.queue));
}

Ran Lobby::ctl(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(),
                   {programs::muster, "ctl", "--admin", fmt::format("127.0.0.1:{}", admin_port_)});
  return run(std::move(arguments));
}

json::value Lobby::ask(const std::string& what) const {
  const Ran answer = ctl({what, "--json"});
  if (answer.exit_code != 0)
    throw std::runtime_error(fmt::format("ctl {}: {}", what, answer.output));
  return json::parse(answer.output);
}

json::array Lobby::list(const std::string& what) const { return ask(what).at(what).as_array(); }

json::value Lobby::server() const {
  const json::array servers = list("servers");
  if (servers.size() != 1)
    throw std::runtime_error("not one game server: " + json::serialize(servers));
  return servers[0];
}

json::value Lobby::server_in(std::string_view state) const {
  json::array servers;
  wait_until(fmt::format("one game server, {}", state), [&] {
    servers = list("servers");
    return servers.size() == 1 && text(servers[0], "/state") == state;
  });
  return servers[0];
}

pid_t Lobby::node_pid() const {
  const auto pid = find_node();
  if (!pid) throw std::runtime_error("no node is running");
  return *pid;
}

std::optional<pid_t> Lobby::find_node() const {
  for (const pid_t pid : processes_in(folder_.path())) {
    const auto arguments = arguments_of(pid);
    if (arguments.size() > 1 && arguments[1] == "node") return pid;
  }
  return std::nullopt;
}

std::string text(const json::value& value, std::string_view pointer) {
  const json::value& found = value.at_pointer(pointer);
  return found.is_string() ? std::string(found.as_string()) : json::serialize(found);
}

std::int64_t number(const json::value& value, std::string_view pointer) {
  return value.at_pointer(pointer).to_number<std::int64_t>();
}

pid_t pid_of(const json::value& server) {
  const auto pid = static_cast<pid_t>(number(server, "/pid"));
  if (pid <= 1) throw std::runtime_error("no process: " + json::serialize(server));
  return pid;
}

}  // namespace muster::e2e
