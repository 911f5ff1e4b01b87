#include "store/journal_reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "store/journal.h"

namespace muster::store {
namespace {

/// How far after something not whole a whole record is looked for, and how long it may be.
constexpr std::size_t search_bytes_max = 4u << 20;
constexpr std::size_t searched_record_bytes_max = 1u << 20;

struct Segment {
  SegmentHeader header;
  std::uint32_t salt = 0;
  std::size_t records_at = 0;
};

std::optional<Segment> open_segment(Bytes bytes) {
  if (bytes.size() < segment_magic.size() ||
      std::memcmp(bytes.data(), segment_magic.data(), segment_magic.size()) != 0)
    return std::nullopt;
  const auto payload = read_frame(bytes.subspan(segment_magic.size()), 0);
  if (!payload) return std::nullopt;
  Segment segment;
  Reader reader(*payload);
  reader.get(segment.header);
  if (!reader.ok()) return std::nullopt;
  segment.salt = salt_of(*payload);
  segment.records_at = segment_magic.size() + frame_head_bytes + payload->size();
  return segment;
}

/// Whether some whole record at or after `from` says that event `number` had been synced.
bool was_synced(Bytes bytes, const Segment& segment, std::size_t from, std::uint64_t number) {
  const std::size_t end = std::min(bytes.size(), from + search_bytes_max);
  for (std::size_t at = from; at < end;) {
    const auto payload = read_frame(
        bytes.subspan(at, std::min(bytes.size() - at, searched_record_bytes_max)), segment.salt);
    if (!payload) {
      ++at;
      continue;
    }
    RecordHead head;
    Reader reader(*payload);
    reader.get(head);
    if (reader.ok() && head.synced >= number) return true;
    at += frame_head_bytes + payload->size();
  }
  return false;
}

class JournalRun {
 public:
  JournalRun(const std::string& folder, std::uint64_t after, const OnEvent& on_event,
             const OnTurn& on_turn)
      : folder_(folder), after_(after), on_event_(on_event), on_turn_(on_turn) {
    end_.number = after;
  }

  std::expected<JournalEnd, JournalDamage> run() {
    auto listed = list_journal(folder_, segment_suffix);
    if (!listed) return std::unexpected(JournalDamage{folder_, 0, listed.error(), ""});
    files_ = std::move(*listed);
    // From the last segment that begins at or before the first event wanted.
    while (first_ + 1 < files_.size() && files_[first_ + 1].number <= after_ + 1) ++first_;
    for (current_ = first_; current_ < files_.size() && going_; ++current_) {
      if (auto damage = read_segment()) return std::unexpected(std::move(*damage));
      if (end_.torn) break;
    }
    return end_;
  }

 private:
  const std::string& path() const { return files_[current_].path; }

  std::optional<JournalDamage> read_segment() {
    auto text = read_whole(path());
    if (!text) return JournalDamage{path(), 0, text.error(), ""};
    const Bytes bytes = bytes_of(*text);
    const auto segment = open_segment(bytes);
    if (!segment) return not_whole(bytes, nullptr, 0, "a segment whose header is not whole");
    if (segment->header.first_number != files_[current_].number)
      return damage(
          0, fmt::format("a header that says its first event is {}", segment->header.first_number));
    const std::uint64_t follows = current_ == first_ ? after_ + 1 : next_;
    const std::uint64_t begins = segment->header.first_number;
    if (begins > follows && segment->header.after_gap) {
      end_.gap_before = begins;
      going_ = false;
      return std::nullopt;
    }
    if (begins > follows || (current_ > first_ && begins < follows))
      return damage(0, fmt::format("its first event is {}, but {} was to follow", begins, follows));
    next_ = segment->header.first_number;
    end_.build = segment->header.build;
    end_.config_digest = segment->header.config_digest;
    ++end_.segments;
    for (std::size_t at = segment->records_at; at < bytes.size() && going_;) {
      const auto payload = read_frame(bytes.subspan(at), segment->salt);
      if (!payload) return not_whole(bytes, &*segment, at, "a record that is not whole");
      if (auto wrong = read_record(*payload, at)) return wrong;
      at += frame_head_bytes + payload->size();
    }
    return std::nullopt;
  }

  std::optional<JournalDamage> read_record(Bytes payload, std::size_t at) {
    Reader reader(payload);
    RecordHead head;
    reader.get(head);
    if (!reader.ok()) return damage(at, "a record that this build cannot read");
    if (head.first_number != next_)
      return damage(at, fmt::format("event {}, but {} was to follow", head.first_number, next_));
    next_ += head.events;
    if (next_ - 1 <= after_) return std::nullopt;  // All of it is in the snapshot.
    ++end_.records;
    for (std::uint32_t i = 0; i < head.events && going_; ++i) {
      core::Event event;
      reader.get(event);
      if (!reader.ok())
        return damage(at,
                      fmt::format("event {}, which this build cannot read", head.first_number + i));
      const std::uint64_t number = head.first_number + i;
      if (number <= after_) continue;
      end_.number = number;
      end_.time = head.time;
      ++end_.events;
      going_ = on_event_(number, head.time, std::move(event));
    }
    if (going_ && reader.left() > 0) return damage(at, "a record with bytes after its last event");
    if (going_ && head.digest != 0 && on_turn_) on_turn_(end_.number, head.digest);
    return std::nullopt;
  }

  /// Torn, or damaged: damaged if something later says that this had been on the disk.
  std::optional<JournalDamage> not_whole(Bytes bytes, const Segment* segment, std::size_t at,
                                         const char* what) {
    const std::uint64_t number = std::max(next_, files_[current_].number);
    if (segment && was_synced(bytes, *segment, at, number)) return damage(at, what);
    std::uint64_t lost = bytes.size() - at;
    for (std::size_t later = current_ + 1; later < files_.size(); ++later) {
      const auto text = read_whole(files_[later].path);
      if (!text) return JournalDamage{files_[later].path, 0, text.error(), ""};
      const auto opened = open_segment(bytes_of(*text));
      if (opened && was_synced(bytes_of(*text), *opened, opened->records_at, number))
        return damage(at, what);
      lost += text->size();
    }
    end_.torn = TornTail{path(), at, lost};
    return std::nullopt;
  }

  JournalDamage damage(std::size_t at, std::string what) const {
    return {path(), at, std::move(what),
            "The lobby does not start on a journal it cannot trust. Restore the folder from a "
            "backup, or move it away to start without what it holds (accounts and results are not "
            "in it; running game servers are taken back)."};
  }

  const std::string& folder_;
  const std::uint64_t after_;
  const OnEvent& on_event_;
  const OnTurn& on_turn_;
  std::vector<JournalFile> files_;
  std::size_t first_ = 0, current_ = 0;
  std::uint64_t next_ = 0;  // The number that the next record must begin with.
  bool going_ = true;
  JournalEnd end_;
};

}  // namespace

std::string to_string(const JournalDamage& damage) {
  std::string text = fmt::format("{}: offset {}: {}.", damage.file, damage.offset, damage.found);
  if (!damage.advice.empty()) text += " " + damage.advice;
  return text;
}

std::expected<JournalEnd, JournalDamage> read_journal(const std::string& folder,
                                                      std::uint64_t after, const OnEvent& on_event,
                                                      const OnTurn& on_turn) {
  return JournalRun(folder, after, on_event, on_turn).run();
}

std::expected<void, std::string> cut_torn_tail(const std::string& folder, const TornTail& torn) {
  const auto segments = list_journal(folder, segment_suffix);
  if (!segments) return std::unexpected(segments.error());
  const auto refuse = [](const std::string& path, int error) {
    return std::unexpected(
        fmt::format("cannot cut the torn end of {}: {}", path, ::strerrordesc_np(error)));
  };
  for (const JournalFile& file : *segments) {
    if (file.path < torn.file) continue;
    if (file.path == torn.file && torn.offset > 0) {
      auto text = read_whole(file.path);
      if (!text) return std::unexpected(text.error());
      const int fd =
          ::open((file.path + ".torn").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
      if (fd >= 0) {  // Best effort: it is only for the curious.
        [[maybe_unused]] const ssize_t kept =
            ::write(fd, text->data() + torn.offset, text->size() - torn.offset);
        ::close(fd);
      }
      if (::truncate(file.path.c_str(), static_cast<off_t>(torn.offset)) < 0)
        return refuse(file.path, errno);
    } else if (::rename(file.path.c_str(), (file.path + ".torn").c_str()) < 0) {
      return refuse(file.path, errno);
    }
  }
  sync_folder(folder);
  return {};
}

}  // namespace muster::store
