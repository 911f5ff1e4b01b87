#pragma once
// A file that whole lines are appended to by a thread of its own, so that a slow disk holds nobody
// up.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace muster::server {

class RecordingFile {
 public:
  /// What may wait for the disk. Lines beyond it are left out, and counted.
  static constexpr std::size_t waiting_bytes_max = 4u << 20;

  /// Appends to what is there; a last line that was cut off is removed. The file never grows beyond
  /// `bytes_max`. An error is a sentence for people.
  static std::expected<std::unique_ptr<RecordingFile>, std::string> open(const std::string& path,
                                                                         std::uint64_t bytes_max);
  /// Writes what waits.
  ~RecordingFile();
  RecordingFile(const RecordingFile&) = delete;
  RecordingFile& operator=(const RecordingFile&) = delete;

  /// Whole lines, each with its newline. Never waits for the disk.
  void append(std::string_view lines);
  /// It is as large as it may be, or cannot be written. Standard error has been told why.
  bool stopped() const { return stopped_; }
  /// Lines that the disk was too slow for.
  std::uint64_t left_out() const { return left_out_; }

 private:
  RecordingFile(std::string path, int fd, std::uint64_t bytes, std::uint64_t bytes_max);
  void run();
  void write(std::string_view lines);
  void stop(const std::string& why);

  const std::string path_;
  const int fd_;
  const std::uint64_t bytes_max_;
  std::uint64_t bytes_;  // The thread's.
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string waiting_;
  bool closing_ = false;
  std::atomic<bool> stopped_ = false;
  std::uint64_t left_out_ = 0;  // The caller's.
  std::thread thread_;
};

}  // namespace muster::server
