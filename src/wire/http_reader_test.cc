#include "wire/http_reader.h"

#include <gtest/gtest.h>

namespace muster::wire {
namespace {

// Requests as "METHOD path?query body|", then "failed:431", or "+" if unfinished.
std::string read_all(const std::string& stream, std::size_t step) {
  HttpReader reader{256, 64};
  std::string said;
  for (std::size_t at = 0; at < stream.size(); at += step) {
    const std::string part = stream.substr(at, step);
    Bytes bytes(reinterpret_cast<const std::uint8_t*>(part.data()), part.size());
    HttpRequest request;
    for (;;) {
      const auto read = reader.next(bytes, request);
      if (read == HttpReader::Read::more) break;
      if (read == HttpReader::Read::failed)
        return said + "failed:" + std::to_string(reader.status());
      said += request.method + " " + request.path + "?" + request.query + " " + request.body +
              (reader.keep_alive() ? "|" : "|close|");
    }
  }
  return said + (reader.unfinished() ? "+" : "");
}

TEST(HttpReader, WhatComesOutHoweverItWasCut) {
  const std::string get = "GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n";
  struct Row {
    const char* name;
    std::string stream;
    std::string want;
  };
  const Row rows[] = {
      {"a request", get, "GET /a?b=c |"},
      {"three at once", get + get + get, "GET /a?b=c |GET /a?b=c |GET /a?b=c |"},
      {"with a body", "POST /p HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello" + get,
       "POST /p? hello|GET /a?b=c |"},
      {"an empty body", "POST /p HTTP/1.1\r\nContent-Length: 0\r\n\r\n" + get,
       "POST /p? |GET /a?b=c |"},
      {"a chunked body",
       "POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n0\r\n\r\n", "failed:411"},
      {"the last one", "GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "GET /? |close|"},
      {"HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", "GET /? |close|"},
      {"unfinished", "GET / HTTP/1.1\r\nHost:", "+"},
      {"unfinished body", "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhe", "+"},
      {"no method", "\r\nGET / HTTP/1.1\r\n\r\n", "failed:400"},
      {"no HTTP", "GET / JTTP/1.1\r\n\r\n", "failed:400"},
      {"a bad header", "GET / HTTP/1.1\r\nno colon\r\n\r\n", "failed:400"},
      {"two lengths", "POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
       "failed:400"},
      {"length and chunked",
       "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "failed:400"},
      {"a long head", "GET / HTTP/1.1\r\nX: " + std::string(300, 'x') + "\r\n\r\n", "failed:431"},
      {"a head without end", std::string(1000, 'G'), "failed:431"},
      {"a long body announced", "POST / HTTP/1.1\r\nContent-Length: 65\r\n\r\n", "failed:413"},
  };
  for (const Row& row : rows)
    for (std::size_t step = 1; step <= row.stream.size(); ++step)
      EXPECT_EQ(read_all(row.stream, step), row.want) << row.name << ", cut every " << step;
}

TEST(HttpReader, HeadersAreFoundByLowerCaseName) {
  const std::string stream =
      "GET / HTTP/1.1\r\nHOST: h\r\nContent-Type: a\r\ncontent-type: b\r\n\r\n";
  HttpReader reader{256, 64};
  Bytes bytes(reinterpret_cast<const std::uint8_t*>(stream.data()), stream.size());
  HttpRequest request;
  ASSERT_EQ(reader.next(bytes, request), HttpReader::Read::request);
  EXPECT_EQ(request.header("host"), "h");
  EXPECT_EQ(request.header("content-type"), "a");
  EXPECT_EQ(request.header("authorization"), "");
}

TEST(HttpReader, TellsOnceThatAClientWaitsToContinue) {
  const std::string stream = "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
  HttpReader reader{256, 64};
  Bytes bytes(reinterpret_cast<const std::uint8_t*>(stream.data()), stream.size());
  HttpRequest request;
  EXPECT_FALSE(reader.take_expects_continue());
  ASSERT_EQ(reader.next(bytes, request), HttpReader::Read::more);
  EXPECT_TRUE(reader.take_expects_continue());
  EXPECT_FALSE(reader.take_expects_continue());
}

TEST(HttpRequest, QueryValues) {
  HttpRequest request;
  request.query = "limit=10&name=a%20b+c&flag&limit=20&bad=%zz%4";
  EXPECT_EQ(request.query_value("limit"), "10");
  EXPECT_EQ(request.query_value("name"), "a b c");
  EXPECT_EQ(request.query_value("flag"), "");
  EXPECT_EQ(request.query_value("bad"), "%zz%4");
  EXPECT_EQ(request.query_value("none"), "");
}

}  // namespace
}  // namespace muster::wire
