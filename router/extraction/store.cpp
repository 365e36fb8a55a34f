#include "router/extraction/store.h"

#include <array>
#include <bit>
#include <map>
#include <utility>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fcntl.h>
#include <unistd.h>

#include "router/extraction/store_sql.h"

namespace dr::extraction {
namespace {

using journal::Sequence;

constexpr int kBusyMs = 10'000;

Error mapped(const SQLite::Exception& e) {
  // Its messages name tables and columns, never values.
  return {Errc::kIo, std::string("extraction store: ") + e.what()};
}

/// Runs `work`; what SQLite throws becomes an Error.
template <class F>
auto guarded(F&& work) -> decltype(work()) {
  try {
    return work();
  } catch (const SQLite::Exception& e) {
    return mapped(e);
  }
}

Uid uid_of(const SQLite::Column& column) {
  auto uid = Uid::parse(column.getString());
  return uid ? *uid : Uid();
}
Bytes octets_of(const SQLite::Column& column) {
  const auto* const data = static_cast<const std::byte*>(column.getBlob());
  return {data, data + column.getBytes()};
}

constexpr std::size_t kGeometry = 13 * sizeof(double);

Bytes geometry_of(const rtstruct::ImageSlice& s) {
  Bytes octets;
  ByteWriter out(octets);
  for (const rtstruct::Vec3 v : {s.position, s.row, s.column}) {
    for (const double x : {v.x, v.y, v.z}) out.le(std::bit_cast<std::uint64_t>(x));
  }
  for (const double x : {s.row_step, s.column_step, double{static_cast<double>(s.columns)},
                         static_cast<double>(s.rows)}) {
    out.le(std::bit_cast<std::uint64_t>(x));
  }
  return octets;
}

bool read_geometry(const SQLite::Column& column, rtstruct::ImageSlice& s) {
  const Bytes octets = octets_of(column);
  if (octets.size() != kGeometry) return false;
  ByteReader in(octets);
  const auto number = [&] { return std::bit_cast<double>(in.le<std::uint64_t>()); };
  for (rtstruct::Vec3* v : {&s.position, &s.row, &s.column}) {
    v->x = number();
    v->y = number();
    v->z = number();
  }
  s.row_step = number();
  s.column_step = number();
  s.columns = static_cast<std::uint32_t>(number());
  s.rows = static_cast<std::uint32_t>(number());
  return true;
}

class SqliteStore final : public Store {
 public:
  explicit SqliteStore(SQLite::Database db) : db_(std::move(db)) {}

  Result<void> begin() override {
    return guarded([&]() -> Result<void> {
      db_.exec("BEGIN IMMEDIATE");
      return {};
    });
  }
  Result<void> commit() override {
    return guarded([&]() -> Result<void> {
      db_.exec("COMMIT");
      return {};
    });
  }
  void roll_back() override { (void)db_.tryExec("ROLLBACK"); }

  Result<Sequence> position() override {
    return guarded([&]() -> Result<Sequence> {
      return Sequence{static_cast<std::uint64_t>(db_.execAndGet(sql::kPosition).getInt64())};
    });
  }
  Result<void> set_position(Sequence position) override {
    return run(sql::kSetPosition, number(position));
  }

  Result<void> add_instance(const Uid& uid, const std::optional<rtstruct::ImageSlice>& slice,
                            const std::string& patient_key, UtcMicros seen) override {
    return guarded([&]() -> Result<void> {
      const auto add = statement(sql::kAddImage);
      bind(add, uid.str(), slice ? slice->sop_class_uid.str() : std::string());
      if (slice) {
        const Bytes geometry = geometry_of(*slice);
        add->bind(3, series_id(*slice));
        add->bind(4, geometry.data(), static_cast<int>(geometry.size()));
      } else {
        add->bind(3);
        add->bind(4);
      }
      add->bind(5, std::int64_t{to_micros(seen)});
      add->bind(6, patient_key);
      add->exec();
      return {};
    });
  }

  Result<void> add_linked(const Linked& l, UtcMicros seen) override {
    return run(sql::kAddLinked, l.sop_instance_uid.str(), number(l.instance), l.dose ? 1 : 0,
               l.transfer_syntax_uid.str(), l.links.frame_of_reference.str(), l.links.plan.str(),
               l.links.structure_set.str(), std::int64_t{to_micros(seen)}, l.patient_key);
  }

  Result<std::set<Uid>> present(std::span<const Uid> wanted) override {
    return guarded([&]() -> Result<std::set<Uid>> {
      std::set<Uid> there;
      for (const Uid& uid : wanted) {
        const auto has = statement(sql::kHasImage);
        bind(has, uid.str());
        if (has->executeStep()) there.insert(uid);
      }
      return there;
    });
  }

  Result<std::vector<rtstruct::ImageSlice>> slices(std::span<const Uid> instances,
                                                   std::span<const Uid> series,
                                                   std::span<const Uid> frames) override {
    return guarded([&]() -> Result<std::vector<rtstruct::ImageSlice>> {
      std::set<std::int64_t> ids;
      const auto collect = [&](const char* query, std::span<const Uid> uids) {
        for (const Uid& uid : uids) {
          const auto find = statement(query);
          bind(find, uid.str());
          while (find->executeStep()) {
            if (!find->isColumnNull(0)) ids.insert(find->getColumn(0).getInt64());
          }
        }
      };
      collect(sql::kSeriesOf, instances);
      collect(sql::kSeriesNamed, series);
      collect(sql::kSeriesInFrame, frames);
      std::vector<rtstruct::ImageSlice> found;
      for (const std::int64_t id : ids) {
        const auto rows = statement(sql::kSlices);
        bind(rows, id);
        while (rows->executeStep()) {
          rtstruct::ImageSlice slice;
          slice.sop_instance_uid = uid_of(rows->getColumn(0));
          slice.sop_class_uid = uid_of(rows->getColumn(1));
          slice.series = uid_of(rows->getColumn(2));
          slice.study = uid_of(rows->getColumn(3));
          slice.frame_of_reference = uid_of(rows->getColumn(4));
          if (read_geometry(rows->getColumn(5), slice)) found.push_back(slice);
        }
      }
      return found;
    });
  }

  Result<std::vector<DoseOf>> doses(const Uid& structure_set,
                                    std::span<const Uid> frames) override {
    return guarded([&]() -> Result<std::vector<DoseOf>> {
      const std::set<Uid> here(frames.begin(), frames.end());
      std::vector<DoseOf> linked, near;
      const auto rows = statement(sql::kDosesOf);
      while (rows->executeStep()) {
        Linked dose{uid_of(rows->getColumn(0)),
                    Sequence{static_cast<std::uint64_t>(rows->getColumn(1).getInt64())},
                    true,
                    uid_of(rows->getColumn(2)),
                    {uid_of(rows->getColumn(3)), uid_of(rows->getColumn(4)), {}},
                    {}};
        const Uid of = uid_of(rows->getColumn(5));
        const bool by_itself = rows->getColumn(6).getInt() != 0;
        if (of == structure_set) {
          linked.push_back({std::move(dose), by_itself ? "structure_set" : "plan"});
        } else if (of.empty() && here.contains(dose.links.frame_of_reference)) {
          near.push_back({std::move(dose), "frame_of_reference"});
        }
      }
      return linked.empty() ? near : linked;
    });
  }

  Result<void> put(const Job& j) override {
    return run(sql::kPutJob, number(j.instance), j.sop_instance_uid.str(),
               j.transfer_syntax_uid.str(), std::int64_t{to_micros(j.received)},
               static_cast<int>(j.state), j.attempts, j.reason, std::int64_t{to_micros(j.deadline)},
               j.references, j.objects_made ? 1 : 0, std::int64_t{to_micros(j.started)},
               std::int64_t{to_micros(j.finished)}, j.doses, j.patient_key);
  }

  Result<Uid> structure_set_of(const Uid& plan) override {
    return guarded([&]() -> Result<Uid> {
      const auto rows = statement(sql::kStructureSetOf);
      bind(rows, plan.str());
      return rows->executeStep() ? uid_of(rows->getColumn(0)) : Uid();
    });
  }

  Result<std::uint64_t> count(State state) override {
    return guarded([&]() -> Result<std::uint64_t> {
      const auto rows = statement(sql::kCount);
      bind(rows, static_cast<int>(state));
      rows->executeStep();
      return static_cast<std::uint64_t>(rows->getColumn(0).getInt64());
    });
  }

  Result<void> set_frames(Sequence instance, std::span<const Uid> frames) override {
    for (const Uid& frame : frames) {
      if (auto done = run(sql::kAddFrame, frame.str(), number(instance)); !done) return done;
    }
    return {};
  }

  Result<std::vector<Job>> in_frame(const Uid& frame) override {
    return guarded([&]() -> Result<std::vector<Job>> {
      const auto rows = statement(sql::kJobsInFrame);
      bind(rows, frame.str());
      std::vector<Job> all;
      while (rows->executeStep()) all.push_back(job_of(*rows));
      return all;
    });
  }

  Result<std::vector<Job>> jobs(bool final_too) override {
    return guarded([&]() -> Result<std::vector<Job>> {
      const auto rows = statement(sql::kJobs);
      bind(rows, static_cast<int>(final_too ? State::kHeld : State::kPublishing) + 1);
      std::vector<Job> all;
      while (rows->executeStep()) all.push_back(job_of(*rows));
      return all;
    });
  }

  Result<std::optional<Job>> find(const Uid& uid) override {
    return guarded([&]() -> Result<std::optional<Job>> {
      const auto rows = statement(sql::kJobOf);
      bind(rows, uid.str());
      if (!rows->executeStep()) return std::optional<Job>();
      return std::optional(job_of(*rows));
    });
  }

  Result<void> set_result(Sequence instance, std::string_view json) override {
    return run(sql::kSetResult, number(instance), std::string(json));
  }
  Result<std::string> result(Sequence instance) override {
    return guarded([&]() -> Result<std::string> {
      const auto rows = statement(sql::kResult);
      bind(rows, number(instance));
      return rows->executeStep() ? rows->getColumn(0).getString() : std::string();
    });
  }

  Result<void> add_outgoing(Sequence instance, const Outgoing& o) override {
    return guarded([&]() -> Result<void> {
      const auto add = statement(sql::kAddOutgoing);
      bind(add, number(instance), o.object ? 1 : 0, o.sop_class_uid.str(),
           o.sop_instance_uid.str());
      add->bind(5, o.octets.data(), static_cast<int>(o.octets.size()));
      add->exec();
      return {};
    });
  }
  Result<std::vector<Outgoing>> outgoing(Sequence instance) override {
    return guarded([&]() -> Result<std::vector<Outgoing>> {
      const auto rows = statement(sql::kOutgoing);
      bind(rows, number(instance));
      std::vector<Outgoing> all;
      while (rows->executeStep()) {
        all.push_back({rows->getColumn(0).getInt64(), rows->getColumn(1).getInt() != 0,
                       uid_of(rows->getColumn(2)), uid_of(rows->getColumn(3)),
                       octets_of(rows->getColumn(4))});
      }
      return all;
    });
  }
  Result<void> drop_outgoing(Sequence instance) override {
    return run(sql::kDropOutgoing, number(instance));
  }
  Result<void> drop_outgoing_object(const Uid& uid) override {
    return run(sql::kDropOutgoingObject, uid.str());
  }

  Result<void> add_message(Sequence instance, std::string_view body, UtcMicros now) override {
    return run(sql::kAddMessage, number(instance), std::string(body), std::int64_t{to_micros(now)},
               std::int64_t{to_micros(now)});
  }
  Result<std::optional<Message>> next_message(UtcMicros now) override {
    return guarded([&]() -> Result<std::optional<Message>> {
      const auto rows = statement(sql::kNextMessage);
      bind(rows, std::int64_t{to_micros(now)});
      if (!rows->executeStep()) return std::optional<Message>();
      return std::optional(Message{rows->getColumn(0).getInt64(), rows->getColumn(1).getString(),
                                   static_cast<std::uint32_t>(rows->getColumn(2).getInt()),
                                   from_micros(rows->getColumn(3).getInt64())});
    });
  }
  Result<void> postpone(const Message& m, UtcMicros until) override {
    return run(sql::kPostpone, m.attempts, std::int64_t{to_micros(until)}, m.id);
  }
  Result<void> drop_message(std::int64_t id) override { return run(sql::kDropMessage, id); }

  Result<std::vector<std::string>> patient_keys() override {
    return guarded([&]() -> Result<std::vector<std::string>> {
      std::vector<std::string> keys;
      const auto rows = statement(sql::kPatientKeys);
      while (rows->executeStep()) keys.push_back(rows->getColumn(0).getString());
      return keys;
    });
  }
  Result<std::vector<Sequence>> forget(const std::string& patient_key, UtcMicros until) override {
    return guarded([&]() -> Result<std::vector<Sequence>> {
      const std::int64_t micros = to_micros(until);
      std::vector<Sequence> jobs;
      {
        const auto rows = statement(sql::kJobsOfPatient);
        bind(rows, patient_key, micros);
        while (rows->executeStep()) {
          jobs.push_back(Sequence{static_cast<std::uint64_t>(rows->getColumn(0).getInt64())});
        }
      }
      for (const Sequence job : jobs) {
        if (auto done = run(sql::kForgetMessages, number(job)); !done) return done.error();
      }
      for (const char* forget : {sql::kForgetJobs, sql::kForgetLinked, sql::kForgetImages}) {
        if (auto done = run(forget, patient_key, micros); !done) return done.error();
      }
      return jobs;
    });
  }

  Result<void> purge(UtcMicros before) override {
    const std::int64_t micros = to_micros(before);
    for (const char* drop : {sql::kDropJobs, sql::kDropLinked, sql::kDropImages}) {
      if (auto done = run(drop, micros); !done) return done;
    }
    return {};
  }
  Result<std::set<Sequence>> inputs() override {
    return guarded([&]() -> Result<std::set<Sequence>> {
      std::set<Sequence> all;
      const auto rows = statement(sql::kInputs);
      while (rows->executeStep()) {
        all.insert(Sequence{static_cast<std::uint64_t>(rows->getColumn(0).getInt64())});
      }
      return all;
    });
  }

 private:
  static std::int64_t number(Sequence s) { return static_cast<std::int64_t>(value(s)); }

  /// A prepared statement for the time of one use. Reset on every way out: one that still stood at
  /// a row would hold this connection to what the database was then.
  class Use {
   public:
    explicit Use(SQLite::Statement& statement) : statement_(statement) {}
    ~Use() {
      statement_.tryReset();
      statement_.clearBindings();
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    SQLite::Statement* operator->() const { return &statement_; }
    SQLite::Statement& operator*() const { return statement_; }

   private:
    SQLite::Statement& statement_;
  };
  Use statement(const char* text) {
    return Use(statements_.try_emplace(text, db_, text).first->second);
  }

  template <class... Values>
  static void bind(const Use& statement, const Values&... values) {
    int index = 0;
    (statement->bind(++index, values), ...);
  }

  template <class... Values>
  Result<void> run(const char* text, const Values&... values) {
    return guarded([&]() -> Result<void> {
      const auto made = statement(text);
      bind(made, values...);
      made->exec();
      return {};
    });
  }

  std::int64_t series_id(const rtstruct::ImageSlice& s) {
    const auto add = statement(sql::kAddSeries);
    bind(add, s.series.str(), s.study.str(), s.frame_of_reference.str());
    add->exec();
    const auto find = statement(sql::kFindSeries);
    bind(find, s.series.str(), s.study.str(), s.frame_of_reference.str());
    find->executeStep();
    return find->getColumn(0).getInt64();
  }

  static Job job_of(SQLite::Statement& rows) {
    Job j;
    j.instance = Sequence{static_cast<std::uint64_t>(rows.getColumn(0).getInt64())};
    j.sop_instance_uid = uid_of(rows.getColumn(1));
    j.transfer_syntax_uid = uid_of(rows.getColumn(2));
    j.received = from_micros(rows.getColumn(3).getInt64());
    j.state = static_cast<State>(rows.getColumn(4).getInt());
    j.attempts = static_cast<std::uint32_t>(rows.getColumn(5).getInt());
    j.reason = rows.getColumn(6).getString();
    j.deadline = from_micros(rows.getColumn(7).getInt64());
    j.references = rows.getColumn(8).getString();
    j.objects_made = rows.getColumn(9).getInt() != 0;
    j.started = from_micros(rows.getColumn(10).getInt64());
    j.finished = from_micros(rows.getColumn(11).getInt64());
    j.doses = rows.getColumn(12).getString();
    j.patient_key = rows.getColumn(13).getString();
    return j;
  }

  SQLite::Database db_;
  std::map<const char*, SQLite::Statement> statements_;
};

}  // namespace

std::string_view name(State state) {
  static constexpr std::array<std::string_view, 7> kNames{"new",  "waiting", "ready", "publishing",
                                                          "done", "failed",  "held"};
  return kNames.at(static_cast<std::size_t>(state));
}

std::string store_file(const std::string& spool) { return spool + "/extraction.sqlite"; }

std::string text_of(std::span<const DoseOf> doses) {
  std::string text;
  for (const DoseOf& each : doses)
    text += each.dose.sop_instance_uid.str() + " " + each.link + "\n";
  return text;
}

Result<std::unique_ptr<Store>> Store::open(const std::string& path) {
  // Made first, so that only its owner may read it; SQLite gives its companions the same mode.
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (fd >= 0) ::close(fd);
  if (fd < 0 && errno != EEXIST) return errno_error("create " + path, errno);
  return guarded([&]() -> Result<std::unique_ptr<Store>> {
    SQLite::Database db(path, SQLite::OPEN_READWRITE, kBusyMs);
    db.exec(sql::kSettings);
    const int format = db.execAndGet("PRAGMA user_version").getInt();
    if (format > sql::kFormat) {
      return Error{Errc::kUnsupported, "extraction store format=" + std::to_string(format) +
                                           " known=" + std::to_string(sql::kFormat)};
    }
    db.exec(sql::kCreate);
    if (format != sql::kFormat) {
      db.exec("PRAGMA user_version = " + std::to_string(sql::kFormat));
    }
    return std::unique_ptr<Store>(std::make_unique<SqliteStore>(std::move(db)));
  });
}

}  // namespace dr::extraction
