#pragma once
// JSON with its keys in the order they are written, indented; numbers are whole.

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace muster::population {

/// A string as JSON has it, with its quotes.
std::string json_string(std::string_view text);

/// Objects and arrays are opened and closed; a value inside an object has a key, one in an array
/// none.
class JsonWriter {
 public:
  void open_object(std::string_view key = {}) { open(key, '{'); }
  void close_object() { close('}'); }
  void open_array(std::string_view key = {}) { open(key, '['); }
  void close_array() { close(']'); }
  template <std::integral T>
  void value(std::string_view key, T number) {
    begin(key);
    out_ += std::to_string(number);
  }
  void value(std::string_view key, std::string_view text) {
    begin(key);
    out_ += json_string(text);
  }
  void null(std::string_view key) {
    begin(key);
    out_ += "null";
  }

  /// The whole, with a newline at its end.
  std::string take() { return std::move(out_) + "\n"; }

 private:
  void begin(std::string_view key) {
    if (!first_) out_ += ',';
    if (depth_ > 0) newline();
    first_ = false;
    if (!key.empty()) out_ += json_string(key) + ": ";
  }
  void open(std::string_view key, char bracket) {
    begin(key);
    out_ += bracket;
    ++depth_;
    first_ = true;
  }
  void close(char bracket) {
    --depth_;
    if (!first_) newline();
    out_ += bracket;
    first_ = false;
  }
  void newline() {
    out_ += '\n';
    out_.append(2 * depth_, ' ');
  }

  std::string out_;
  std::size_t depth_ = 0;
  bool first_ = true;
};

}  // namespace muster::population
