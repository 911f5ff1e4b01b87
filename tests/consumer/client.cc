#include <chrono>
#include <cstdio>
#include <muster/client.hpp>

int main() {
  using namespace std::chrono_literals;
  auto client = muster::client::Client::create("127.0.0.1", 4100);
  if (!client || client->poll(0ms)) return 1;  // Not told to connect.
  const auto status = client->start_match("duel", {{"skill", 1200.0}});
  std::printf("%s\n", muster::client::to_string(status));
  return status == MUSTER_CLIENT_ERR_STATE ? 0 : 1;
}
