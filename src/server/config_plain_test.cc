// What the configuration says of game servers without an SDK.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "server/config_test_help.h"

namespace muster::server {
namespace {

using testing::HasSubstr;

TEST(ConfigPlain, WhatIsWrongIsSaidWithItsLine) {
  // Lines 11 to 15; what a row adds is line 16 on.
  const std::string plain =
      "[[fleet]]\nname = \"plain\"\ncommand = [\"/bin/true\", \"{port}\"]\nports = "
      "\"7100-7109\"\nsdk = \"none\"\n";
  const std::string ready = "[fleet.ready]\ntcp = true\n";  // Lines 16 and 17.
  struct Row {
    const char* name;
    std::string text;
    int line;
    const char* key;
    const char* says;
  };
  const Row rows[] = {
      {"no [fleet.ready]", "", 15, "fleet.ready", "one of tcp, udp, log, delay"},
      {"an empty one", "[fleet.ready]\n", 16, "fleet.ready", "one of tcp, udp, log, delay"},
      {"two ways", ready + "delay = \"1s\"\n", 16, "fleet.ready", "has several"},
      {"not true", "[fleet.ready]\ntcp = false\n", 17, "fleet.ready.tcp", "leave it out"},
      {"a number", "[fleet.ready]\ntcp = 7000\n", 17, "fleet.ready.tcp", "is a number"},
      {"no such port", "[fleet.ready]\nudp = \"query\"\n", 17, "fleet.ready.udp",
       "no [fleet.port.query]"},
      {"a slip", "[fleet.ready]\ntpc = true\n", 17, "fleet.ready.tpc", "did you mean \"tcp\"?"},
      {"no regular expression", "[fleet.ready]\nlog = 'a(b'\n", 17, "fleet.ready.log",
       "no regular expression: missing )"},
      {"an empty one", "[fleet.ready]\nlog = ''\n", 17, "fleet.ready.log", "is empty"},
      {"too long a delay", "[fleet.ready]\ndelay = \"2h\"\n", 17, "fleet.ready.delay", "0s to 1h"},
      {"nothing to send", "[fleet.ready]\nudp = { expect = 'x' }\n", 17, "fleet.ready.udp",
       "needs something to send"},
      {"both ways to send", "[fleet.ready]\nudp = { send = 'x', send_hex = '00' }\n", 17,
       "fleet.ready.udp", "both send and send_hex"},
      {"no hexadecimal", "[fleet.ready]\nudp = { send_hex = 'fg' }\n", 17, "fleet.ready.udp",
       "send_hex must be bytes"},
      {"half a byte", "[fleet.ready]\nudp = { send_hex = 'fff' }\n", 17, "fleet.ready.udp",
       "send_hex must be bytes"},
      {"an unknown escape", "[fleet.ready]\nudp = { send = 'a\\d' }\n", 17, "fleet.ready.udp",
       "a backslash"},
      {"a slip in a query", "[fleet.ready]\nudp = { sned = 'a' }\n", 17, "fleet.ready.udp",
       "did you mean \"send\"?"},
      {"a placeholder there is not", "[fleet.ready]\nudp = { send = '{prot}' }\n", 17,
       "fleet.ready.udp", "did you mean \"port\"?"},
      {"a log looked at again", "[fleet.ready]\nlog = 'x'\nrepeat = \"1s\"\n", 18,
       "fleet.ready.repeat", "only tcp and udp"},
      {"again too often", ready + "repeat = \"1ms\"\n", 18, "fleet.ready.repeat", "at least 100ms"},
      {"ready by the wrong protocol", "protocol = \"udp\"\n" + ready, 18, "fleet.ready.tcp",
       "the port's protocol is \"udp\""},
      {"health_timeout", "health_timeout = \"5s\"\n" + ready, 16, "fleet.health_timeout",
       "repeat in [fleet.ready]"},
      {"joined without left", ready + "[fleet.end]\nidle = \"1s\"\njoined = 'x'\n", 20,
       "fleet.end.joined", "one of them is missing"},
      {"idle without a count", ready + "[fleet.end]\nidle = \"1s\"\n", 19, "fleet.end.idle",
       "players must be counted"},
      {"a count without idle", ready + "[fleet.end]\njoined = 'x'\nleft = 'y'\n", 19,
       "fleet.end.joined", "idle"},
      {"a number that is not captured",
       ready + "[fleet.end]\nidle = \"1s\"\nplayers_udp = { send = 'x', expect = 'n' }\n", 20,
       "fleet.end.players_udp", "needs a group"},
      {"a name that is none", ready + "[fleet.port.Query]\noffset = 1\n", 18, "fleet.port.Query",
       "cannot be a port's name"},
      {"a port of neither kind", ready + "[fleet.port.query]\n", 18, "fleet.port.query",
       "needs ports"},
      {"a port of both kinds", ready + "[fleet.port.query]\noffset = 1\nports = 7200\n", 18,
       "fleet.port.query", "both ports and offset"},
      {"ports that are another fleet's", ready + "[fleet.port.query]\nports = \"7005-7006\"\n", 19,
       "fleet.port.query.ports", "are also the ports of fleet \"duel\" (line 4)"},
      {"ports that are its own", ready + "[fleet.port.query]\nports = \"7105-7110\"\n", 19,
       "fleet.port.query.ports", "no port may be in two ranges"},
      {"an offset beyond its ports", ready + "[fleet.port.query]\noffset = 10\n", 14, "fleet.ports",
       "no room"},
      {"more servers than query ports",
       "servers_max = 3\n" + ready + "[fleet.port.query]\nports = \"7200-7201\"\n", 16,
       "fleet.servers_max", "enough for 2"},
      {"a placeholder of a port there is not",
       ready + "[fleet.files]\n\"a.cfg\" = { text = \"{port.query}\" }\n", 19, "fleet.files.a.cfg",
       "no placeholder {port.query}"},
      {"a file elsewhere", ready + "[fleet.files]\n\"../a\" = { text = \"\" }\n", 19,
       "fleet.files.../a", "within the game server's own folder"},
      {"an absolute file", ready + "[fleet.files]\n\"/etc/a\" = { text = \"\" }\n", 19,
       "fleet.files./etc/a", "must be relative"},
      {"a file of nothing", ready + "[fleet.files]\n\"a\" = { mode = \"0600\" }\n", 19,
       "fleet.files.a", "needs text, or template"},
      {"a mode that is none", ready + "[fleet.files]\n\"a\" = { text = \"\", mode = \"rw\" }\n", 19,
       "fleet.files.a.mode", "in octal"},
      {"a file that is a text", ready + "[fleet.files]\n\"a\" = \"text\"\n", 19, "fleet.files.a",
       "a table"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const auto config = parse(good + plain + row.text);
    ASSERT_FALSE(config);
    const ConfigProblem* found = nullptr;
    for (const ConfigProblem& p : config.error())
      if (!p.warning && p.line == row.line && p.key == row.key) found = &p;
    ASSERT_TRUE(found) << shown(config.error());
    EXPECT_THAT(found->text, HasSubstr(row.says));
    EXPECT_EQ(std::ranges::count(config.error(), false, &ConfigProblem::warning), 1)
        << "one slip, one problem:\n"
        << shown(config.error());
  }
  const auto elsewhere = parse(good + "[fleet.ready]\ntcp = true\n");
  ASSERT_FALSE(elsewhere);  // It is the duel fleet's, whose sdk is muster.
}

class ConfigTemplates : public ConfigOnDisk {};

TEST_F(ConfigTemplates, AreReadAndChecked) {
  const auto with_template = [&](const std::string& name) {
    return load("./server",
                "sdk = \"none\"\n[fleet.ready]\ndelay = \"1s\"\n[fleet.files]\n\"a.cfg\" = "
                "{ template = \"" +
                    name + "\" }\n");
  };
  std::ofstream(folder_ / "sub/a.cfg.in") << "# {{not one}\nport {port}\n";
  const auto config = with_template("sub/a.cfg.in");
  ASSERT_TRUE(config) << shown(config.error());
  EXPECT_EQ(config->core.fleets[0].files[0].text, "# {{not one}\nport {port}\n");

  std::ofstream(folder_ / "bad.in") << "port {port}\n\nname {nmae}\n";
  const auto unknown = with_template("bad.in");
  ASSERT_FALSE(unknown);
  EXPECT_THAT(shown(unknown.error()), HasSubstr((folder_ / "bad.in:3: there is no placeholder "
                                                           "{nmae}")
                                                    .string()));
  std::ofstream(folder_ / "large.in") << std::string((64u << 10) + 1, '#');
  const std::pair<const char*, const char*> rows[] = {{"gone.in", "cannot be read: No such file"},
                                                      {"sub", "is not a file"},
                                                      {"large.in", "is larger than 64KiB"}};
  for (const auto& [name, says] : rows) {
    const auto refused = with_template(name);
    ASSERT_FALSE(refused) << name;
    EXPECT_THAT(shown(refused.error()), HasSubstr(says));
    EXPECT_THAT(shown(refused.error()), HasSubstr("muster.toml:9: fleet.files.a.cfg: "));
  }
}

}  // namespace
}  // namespace muster::server
