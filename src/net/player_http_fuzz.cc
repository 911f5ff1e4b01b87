// Laws: how a stream is cut changes nothing, a body is never longer than allowed, and the player
// port has an answer for every request. The first byte chooses the cut.
#include "base/check.h"
#include "net/player_http.h"
#include "wire/http_reader.h"

namespace {

using namespace muster::net;
using namespace muster::wire;

std::string read_all(muster::wire::Bytes bytes, std::size_t step) {
  HttpReader reader{512, 64};
  std::string said;
  while (!bytes.empty()) {
    auto part = bytes.first(std::min(step, bytes.size()));
    bytes = bytes.subspan(part.size());
    for (;;) {
      HttpRequest request;
      const auto read = reader.next(part, request);
      if (read == HttpReader::Read::failed) return said + "!" + std::to_string(reader.status());
      if (read == HttpReader::Read::more) break;
      CHECK(request.body.size() <= 64, "within the limit");
      said += request.method + " " + request.path + "?" + request.query + " ";
      for (const auto& [name, value] : request.headers) said += name + ":" + value + " ";
      said += request.body + (reader.keep_alive() ? "|" : "|close|");
      const auto answer = answer_player_http(request);
      if (const auto* response = std::get_if<HttpResponse>(&answer)) {
        CHECK(response->status >= 200 && response->status < 500, "a sensible answer");
        append_response(said, *response, reader.keep_alive(), request.method == "HEAD");
      }
    }
  }
  return said;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const muster::wire::Bytes stream(data + 1, size - 1);
  CHECK(read_all(stream, 1 + data[0]) == read_all(stream, size), "the cut does not matter");
  return 0;
}
