#include "test/support/fault_file_system.h"

#include <algorithm>

namespace dr::test {
namespace {

using Kind = Operation::Kind;

constexpr std::size_t kSector = 512;

std::string folder_of(const std::string& name) {
  const auto slash = name.rfind('/');
  return slash == std::string::npos ? "" : name.substr(0, slash);
}

void put(Bytes& data, std::uint64_t offset, ByteSpan octets) {
  const auto at = static_cast<std::size_t>(offset);
  if (data.size() < at + octets.size()) data.resize(at + octets.size());
  std::copy(octets.begin(), octets.end(), data.begin() + static_cast<std::ptrdiff_t>(at));
}

void change(Bytes& data, const Operation& operation) {
  if (operation.kind == Kind::kAllocate) {
    data.resize(std::max<std::size_t>(data.size(), static_cast<std::size_t>(operation.offset)));
  } else {
    put(data, operation.offset, operation.data);
  }
}

/// Some sectors of one write.
void apply_sectors(Bytes& data, const Operation& write, const std::function<bool()>& keep) {
  for (std::size_t at = 0; at < write.data.size();) {
    const std::size_t in_sector = (write.offset + at) % kSector;
    const std::size_t n = std::min(kSector - in_sector, write.data.size() - at);
    if (keep()) put(data, write.offset + at, ByteSpan(write.data).subspan(at, n));
    at += n;
  }
}

}  // namespace

class FaultFileSystem::OpenFile final : public File {
 public:
  OpenFile(FaultFileSystem& files, std::shared_ptr<Node> node)
      : files_(files), node_(std::move(node)) {}

  Result<void> write_at(std::uint64_t offset, std::span<const ByteSpan> parts) override {
    Operation operation{Kind::kWrite, node_->number, "", "", offset, {}};
    for (const ByteSpan part : parts) {
      operation.data.insert(operation.data.end(), part.begin(), part.end());
    }
    if (auto error = files_.ask(operation)) return std::move(*error);
    const std::scoped_lock lock(files_.mutex_);
    const std::uint64_t end = offset + operation.data.size();
    if (end > node_->data.size() && files_.used() + end - node_->data.size() > files_.capacity_) {
      return Error{Errc::kNoSpace, "write"};
    }
    change(node_->data, operation);
    files_.remember(std::move(operation));
    return {};
  }

  Result<std::size_t> read_at(std::uint64_t offset, MutableByteSpan into) const override {
    if (auto error = files_.ask({Kind::kRead, node_->number, "", "", offset, {}})) {
      return std::move(*error);
    }
    const std::scoped_lock lock(files_.mutex_);
    if (offset >= node_->data.size()) return std::size_t{0};
    const auto at = static_cast<std::size_t>(offset);
    const std::size_t n = std::min(into.size(), node_->data.size() - at);
    std::copy_n(node_->data.begin() + static_cast<std::ptrdiff_t>(at), n, into.begin());
    return n;
  }

  Result<void> sync() override {
    Operation operation{Kind::kSync, node_->number, "", "", files_.operations(), {}};
    if (auto error = files_.ask(operation)) return std::move(*error);
    const std::scoped_lock lock(files_.mutex_);
    files_.remember(std::move(operation));
    return {};
  }

  Result<std::uint64_t> size() const override {
    const std::scoped_lock lock(files_.mutex_);
    return std::uint64_t{node_->data.size()};
  }

  Result<void> allocate(std::uint64_t octets) override {
    Operation operation{Kind::kAllocate, node_->number, "", "", octets, {}};
    if (auto error = files_.ask(operation)) return std::move(*error);
    const std::scoped_lock lock(files_.mutex_);
    if (octets > node_->data.size() &&
        files_.used() + octets - node_->data.size() > files_.capacity_) {
      return Error{Errc::kNoSpace, "allocate"};
    }
    change(node_->data, operation);
    files_.remember(std::move(operation));
    return {};
  }

  Result<void> close() override { return {}; }

 private:
  FaultFileSystem& files_;
  std::shared_ptr<Node> node_;
};

class FaultFileSystem::Lock final : public File {
 public:
  Lock(FaultFileSystem& files, std::string name) : files_(files), name_(std::move(name)) {}
  ~Lock() override {
    const std::scoped_lock lock(files_.mutex_);
    files_.locked_.erase(name_);
  }
  Result<void> write_at(std::uint64_t, std::span<const ByteSpan>) override { return {}; }
  Result<std::size_t> read_at(std::uint64_t, MutableByteSpan) const override {
    return std::size_t{0};
  }
  Result<void> sync() override { return {}; }
  Result<std::uint64_t> size() const override { return std::uint64_t{0}; }
  Result<void> allocate(std::uint64_t) override { return {}; }
  Result<void> close() override { return {}; }

 private:
  FaultFileSystem& files_;
  std::string name_;
};

FaultFileSystem::FaultFileSystem() : dirs_{""} {}
FaultFileSystem::~FaultFileSystem() = default;

void FaultFileSystem::set_hook(Hook hook) {
  const std::scoped_lock lock(mutex_);
  hook_ = std::move(hook);
}
void FaultFileSystem::set_capacity(std::uint64_t octets) {
  const std::scoped_lock lock(mutex_);
  capacity_ = octets;
}

std::optional<Error> FaultFileSystem::ask(const Operation& operation) const {
  Hook hook;
  {
    const std::scoped_lock lock(mutex_);
    hook = hook_;
  }
  return hook ? hook(operation) : std::nullopt;
}

void FaultFileSystem::remember(Operation operation) { log_.push_back(std::move(operation)); }

std::uint64_t FaultFileSystem::used() const {
  std::uint64_t octets = 0;
  for (const auto& [name, node] : files_) octets += node->data.size();
  return octets;
}

std::size_t FaultFileSystem::operations() const {
  const std::scoped_lock lock(mutex_);
  return log_.size();
}
std::size_t FaultFileSystem::count(Kind kind) const {
  const std::scoped_lock lock(mutex_);
  return static_cast<std::size_t>(
      std::count_if(log_.begin(), log_.end(), [&](const Operation& o) { return o.kind == kind; }));
}

std::unique_ptr<FaultFileSystem> FaultFileSystem::crash(Survives what) const {
  return crash(operations(), what);
}

std::unique_ptr<FaultFileSystem> FaultFileSystem::crash(std::size_t operations, Survives what,
                                                        std::uint32_t seed) const {
  const std::scoped_lock lock(mutex_);
  std::map<std::uint64_t, Bytes> durable;                          // by file
  std::map<std::uint64_t, std::vector<const Operation*>> pending;  // unsynced changes, by file
  std::map<std::string, std::uint64_t> names;
  std::vector<const Operation*> moves;  // unsynced changes of names, in order
  for (const auto& [name, node] : before_) {
    names[name] = node->number;
    durable[node->number] = node->data;
  }
  const auto change_name = [&names](const Operation& operation) {
    if (operation.kind == Kind::kCreate) {
      names[operation.name] = operation.file;
    } else if (operation.kind == Kind::kUnlink) {
      names.erase(operation.name);
    } else {
      names[operation.to] = operation.file;
      names.erase(operation.name);
    }
  };
  for (std::size_t i = 0; i < std::min(operations, log_.size()); ++i) {
    const Operation& operation = log_[i];
    switch (operation.kind) {
      case Kind::kWrite:
      case Kind::kAllocate:
        pending[operation.file].push_back(&operation);
        break;
      case Kind::kSync:
        std::erase_if(pending[operation.file], [&](const Operation* each) {
          if (each >= log_.data() + operation.offset) return false;  // came while it went on
          change(durable[operation.file], *each);
          return true;
        });
        break;
      case Kind::kCreate:
      case Kind::kRename:
      case Kind::kUnlink:
        moves.push_back(&operation);
        break;
      case Kind::kSyncDir:
        std::erase_if(moves, [&](const Operation* each) {
          const bool moved = each->kind == Kind::kRename;  // the new name is what must not be lost
          if (folder_of(moved ? each->to : each->name) != operation.name) return false;
          change_name(*each);
          return true;
        });
        break;
      case Kind::kMakeDir:
      case Kind::kRead:
        break;
    }
  }
  std::mt19937 random(seed);
  if (what != Survives::kNothing && what != Survives::kNoNames) {
    for (const Operation* each : moves) {
      // Any part of what was not synced may be lost, in order or not.
      if (what == Survives::kSectors && random() % 4 == 0) continue;
      change_name(*each);
    }
  }
  for (const auto& [file, changes] : pending) {
    Bytes& data = durable[file];
    for (const Operation* each : changes) {
      const bool last = each == changes.back();
      if (what == Survives::kNothing || what == Survives::kNamesOnly) continue;
      if (what == Survives::kSectors && each->kind == Kind::kWrite) {
        apply_sectors(data, *each, [&random] { return random() % 2 == 0; });
      } else if (what == Survives::kTorn && last && each->kind == Kind::kWrite) {
        std::size_t left = each->data.size() / kSector / 2;
        apply_sectors(data, *each, [&left] { return left > 0 && left-- > 0; });
      } else {
        change(data, *each);
      }
    }
  }
  auto after = std::make_unique<FaultFileSystem>();
  after->dirs_ = dirs_;
  for (const auto& [name, file] : names) {
    auto node = std::make_shared<Node>(Node{after->next_file_++, durable[file]});
    after->files_[name] = node;
    after->before_[name] = std::make_shared<Node>(*node);
  }
  return after;
}

std::vector<std::string> FaultFileSystem::all_files() const {
  const std::scoped_lock lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, node] : files_) names.push_back(name);
  return names;
}
Bytes FaultFileSystem::content(const std::string& name) const {
  const std::scoped_lock lock(mutex_);
  return files_.at(name)->data;
}
void FaultFileSystem::set_content(const std::string& name, Bytes content) {
  const std::scoped_lock lock(mutex_);
  auto& node = files_[name];
  if (!node) node = std::make_shared<Node>(Node{next_file_++, {}});
  node->data = std::move(content);
  before_[name] = std::make_shared<Node>(*node);
}

Result<std::unique_ptr<File>> FaultFileSystem::open(const std::string& name, Mode mode) {
  if (mode == Mode::kCreateNew) {
    if (auto error = ask({Kind::kCreate, 0, name, "", 0, {}})) return std::move(*error);
  }
  const std::scoped_lock lock(mutex_);
  const auto at = files_.find(name);
  if (mode != Mode::kCreateNew) {
    if (at == files_.end()) return Error{Errc::kNotFound, "open " + name};
    return std::unique_ptr<File>(std::make_unique<OpenFile>(*this, at->second));
  }
  if (at != files_.end()) return Error{Errc::kConflict, "open " + name};
  if (!dirs_.contains(folder_of(name))) return Error{Errc::kNotFound, "open " + name};
  auto node = std::make_shared<Node>(Node{next_file_++, {}});
  files_[name] = node;
  remember({Kind::kCreate, node->number, name, "", 0, {}});
  return std::unique_ptr<File>(std::make_unique<OpenFile>(*this, std::move(node)));
}

Result<void> FaultFileSystem::rename(const std::string& from, const std::string& to) {
  if (auto error = ask({Kind::kRename, 0, from, to, 0, {}})) return std::move(*error);
  const std::scoped_lock lock(mutex_);
  const auto at = files_.find(from);
  if (at == files_.end()) return Error{Errc::kNotFound, "rename " + from};
  auto node = at->second;
  files_.erase(at);
  files_[to] = node;
  remember({Kind::kRename, node->number, from, to, 0, {}});
  return {};
}

Result<void> FaultFileSystem::rename_new(const std::string& from, const std::string& to) {
  {
    const std::scoped_lock lock(mutex_);
    if (files_.contains(to)) return Error{Errc::kConflict, "rename " + from};
  }
  return rename(from, to);
}

Result<void> FaultFileSystem::unlink(const std::string& name) {
  if (auto error = ask({Kind::kUnlink, 0, name, "", 0, {}})) return std::move(*error);
  const std::scoped_lock lock(mutex_);
  const auto at = files_.find(name);
  if (at == files_.end()) return Error{Errc::kNotFound, "unlink " + name};
  remember({Kind::kUnlink, at->second->number, name, "", 0, {}});
  files_.erase(at);
  return {};
}

Result<void> FaultFileSystem::make_dir(const std::string& name) {
  if (auto error = ask({Kind::kMakeDir, 0, name, "", 0, {}})) return std::move(*error);
  const std::scoped_lock lock(mutex_);
  dirs_.insert(name);
  return {};
}

Result<void> FaultFileSystem::sync_dir(const std::string& name) {
  if (auto error = ask({Kind::kSyncDir, 0, name, "", 0, {}})) return std::move(*error);
  const std::scoped_lock lock(mutex_);
  remember({Kind::kSyncDir, 0, name, "", 0, {}});
  return {};
}

Result<std::vector<std::string>> FaultFileSystem::list(const std::string& dir) const {
  if (auto error = ask({Kind::kRead, 0, dir, "", 0, {}})) return std::move(*error);
  const std::scoped_lock lock(mutex_);
  if (!dirs_.contains(dir)) return Error{Errc::kNotFound, "list " + dir};
  std::vector<std::string> names;
  for (const auto& [name, node] : files_) {
    if (folder_of(name) == dir) names.push_back(dir.empty() ? name : name.substr(dir.size() + 1));
  }
  return names;
}

Result<std::uint64_t> FaultFileSystem::free_octets() const {
  const std::scoped_lock lock(mutex_);
  const std::uint64_t octets = used();
  return octets > capacity_ ? 0 : capacity_ - octets;
}

Result<std::unique_ptr<File>> FaultFileSystem::lock(const std::string& name) {
  const std::scoped_lock lock(mutex_);
  if (!locked_.insert(name).second) return Error{Errc::kConflict, name + " is locked"};
  return std::unique_ptr<File>(std::make_unique<Lock>(*this, name));
}

}  // namespace dr::test
