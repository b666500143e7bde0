// The one file that knows Node-API: arguments in, results and errors out, nothing decided here.
//
// Numbers go through one Float64Array that the calling thread owns (loader/native.ts names its slots), so
// that no objects are built on the load path. Addresses lie below 2^47 and fit a double.
#include <dlfcn.h>
#include <napi.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <mutex>
#include <unordered_set>

#include "census.h"
#include "checksum.h"
#include "file_range.h"
#include "layout.h"
#include "load.h"
#include "process.h"
#include "region.h"
#include "shared.h"
#include "sys.h"
#include "wasm/binding.h"
#include "wasm/image.h"

namespace insitu {
namespace {

using Info = Napi::CallbackInfo;

/// Length of the Float64Array: a head of 32, then 8 for each planned segment.
constexpr size_t kSlots = 32 + 8 * 3 * kMaxSegments;

/// `message` for people; `code`, `errno`, `syscall`, `offset` for loader/error.ts.
Napi::Error to_error(Napi::Env env, const Failure& failure) {
  const bool system = failure.system_error != 0;
  const char* name = system ? strerrorname_np(failure.system_error) : failure.code;
  std::string message = system ? std::string(strerror(failure.system_error)) : std::string();
  if (system && !failure.text.empty()) message += ": ";
  message += failure.text.c_str();
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, name != nullptr ? name : "ERR_SYSTEM"));
  error.Set("offset", Napi::Number::New(env, static_cast<double>(failure.offset)));
  if (system) {
    error.Set("errno", Napi::Number::New(env, -failure.system_error));
    error.Set("syscall", Napi::String::New(env, failure.syscall));
  }
  return error;
}

[[noreturn]] void refuse_argument(Napi::Env env, const char* text) { throw Napi::TypeError::New(env, text); }

/// Every exported function: C++ exceptions become JavaScript ones here and nowhere else.
template <Napi::Value (*function)(const Info&)>
Napi::Value guarded_call(const Info& info) {
  try {
    return function(info);
  } catch (const LoadFailure& failure) {
    throw to_error(info.Env(), failure);
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Napi::Error::New(info.Env(), std::string("C++ exception: ") + error.what());
  } catch (...) {
    throw Napi::Error::New(info.Env(), "C++ exception of a type without a message");
  }
}

double number_at(const Info& info, size_t index) {
  if (!info[index].IsNumber()) refuse_argument(info.Env(), "argument is not a number");
  return info[index].As<Napi::Number>().DoubleValue();
}

uint64_t unsigned_at(const Info& info, size_t index) {
  const double value = number_at(info, index);
  if (!(value >= 0 && value <= 9007199254740991.0) ||
      value != static_cast<double>(static_cast<uint64_t>(value)))
    refuse_argument(info.Env(), "argument is not an unsigned safe integer");
  return static_cast<uint64_t>(value);
}

int int_at(const Info& info, size_t index) {
  const double value = number_at(info, index);
  if (!(value >= -2147483648.0 && value <= 2147483647.0) ||
      value != static_cast<double>(static_cast<int>(value)))
    refuse_argument(info.Env(), "argument is not a 32-bit integer");
  return static_cast<int>(value);
}

uint64_t address_at(const Info& info, size_t index) {
  if (!info[index].IsBigInt()) refuse_argument(info.Env(), "address is not a bigint");
  bool lossless = false;
  const uint64_t value = info[index].As<Napi::BigInt>().Uint64Value(&lossless);
  if (!lossless) refuse_argument(info.Env(), "address is not an unsigned 64-bit bigint");
  return value;
}

std::string string_at(const Info& info, size_t index) {
  if (!info[index].IsString()) refuse_argument(info.Env(), "argument is not a string");
  return info[index].As<Napi::String>().Utf8Value();
}

std::vector<std::string> strings_at(const Info& info, size_t index) {
  if (!info[index].IsArray()) refuse_argument(info.Env(), "argument is not an array of strings");
  const auto array = info[index].As<Napi::Array>();
  std::vector<std::string> strings;
  for (uint32_t i = 0; i < array.Length(); i++) strings.push_back(array.Get(i).ToString().Utf8Value());
  return strings;
}

double* slots_at(const Info& info, size_t index, size_t least) {
  if (!info[index].IsTypedArray()) refuse_argument(info.Env(), "argument is not a Float64Array");
  const auto array = info[index].As<Napi::TypedArray>();
  if (array.TypedArrayType() != napi_float64_array || array.ElementLength() < least)
    refuse_argument(info.Env(), "argument is not a Float64Array of the right length");
  return info[index].As<Napi::Float64Array>().Data();
}

Napi::Value address(Napi::Env env, uint64_t value) { return Napi::BigInt::New(env, value); }
Napi::Value number(Napi::Env env, uint64_t value) {
  return Napi::Number::New(env, static_cast<double>(value));
}

Napi::Array strings(Napi::Env env, const std::vector<std::string>& list) {
  Napi::Array array = Napi::Array::New(env, list.size());
  for (uint32_t i = 0; i < list.size(); i++) array.Set(i, list[i]);
  return array;
}

// ---- handles

/// What an image handle holds. Tagged by membership: an external of anyone else's is not in the set, at a
/// tenth of what napi_type_tag_object costs on the load path.
struct Held {
  std::unique_ptr<SourceView> view;  // of an image that is not mapped yet
  std::unique_ptr<Library> library;
  LoadRecord record;
  KeptFile file;  // of a WebAssembly image: memory content is mapped from it at each instantiation
};

std::mutex held_mutex;
std::unordered_set<const void*> all_held;

void forget(Napi::Env, Held* held) {
  {
    const std::lock_guard lock(held_mutex);
    all_held.erase(held);
  }
  // A linked library stays: functions of it may be in use that no JavaScript object tells of, as with dlopen.
  if (held->library != nullptr && (held->library->is_linked() || held->library->stays_mapped()))
    (void)held->library.release();
  delete held;
}

Napi::Value hold(Napi::Env env, std::unique_ptr<Held> held) {
  Held* raw = held.release();
  {
    const std::lock_guard lock(held_mutex);
    all_held.insert(raw);
  }
  return Napi::External<Held>::New(env, raw, forget);
}

Held& held_at(const Info& info, size_t index) {
  if (info[index].IsExternal()) {
    Held* held = info[index].As<Napi::External<Held>>().Data();
    const std::lock_guard lock(held_mutex);
    if (all_held.count(held) != 0) return *held;
  }
  refuse_argument(info.Env(), "argument is not an image handle of insitu");
}

Library& library_at(const Info& info, size_t index) {
  Held& held = held_at(info, index);
  if (held.library != nullptr) return *held.library;
  LoadFailure failure;
  fail(failure, "ERR_CLOSED", 0) << "is closed; want it open";
  throw failure;
}

// ---- open, read, map, link

/// Slots 0 to 14.
void put_facts(const StorageFacts& facts, double* out) {
  const uint64_t values[] = {facts.mode,
                             facts.size,
                             facts.inode,
                             facts.mount_id,
                             facts.device_major,
                             facts.device_minor,
                             facts.special_major,
                             facts.special_minor,
                             facts.attributes,
                             facts.attributes_mask,
                             facts.file_system_type,
                             facts.mount_flags,
                             static_cast<uint64_t>(facts.medium),
                             facts.granule,
                             facts.map_sync};
  for (size_t i = 0; i < std::size(values); i++) out[i] = static_cast<double>(values[i]);
}

void put_usage(double* out) {
  rusage usage;
  getrusage(RUSAGE_THREAD, &usage);
  out[0] = static_cast<double>(usage.ru_minflt);
  out[1] = static_cast<double>(usage.ru_majflt);
}

/// Bytes of an image at `index`; without that argument all to the end of the file.
uint64_t size_at(const Info& info, size_t index) {
  return info[index].IsUndefined() ? kToTheEnd : unsigned_at(info, index);
}

/// (path, flags, start?, size?) -> handle. flags: 1 copy, 2 require in place, 4 prefault, 8 a WebAssembly
/// image.
Napi::Value load_library(const Info& info) {
  const int flags = int_at(info, 1);
  auto held = std::make_unique<Held>();
  LoadOptions options{(flags & 1) != 0, (flags & 2) != 0, (flags & 4) != 0};
  if (info.Length() > 2) {
    options.start = unsigned_at(info, 2);
    options.size = size_at(info, 3);
  }
  if (flags & 8) {
    options.check = wasm::check_image;
    options.keep = &held->file;
  }
  held->library = load(string_at(info, 0).c_str(), options, held->record);
  return hold(info.Env(), std::move(held));
}

/// (path, start?, size?) -> handle of a library that the process has one of, and never closes.
Napi::Value load_shared_library(const Info& info) {
  LoadOptions options;
  options.lazy = true;
  if (info.Length() > 1) {
    options.start = unsigned_at(info, 1);
    options.size = size_at(info, 2);
  }
  const SharedLibrary& shared = load_shared(string_at(info, 0), options);
  auto held = std::make_unique<Held>();
  held->library.reset(shared.library);  // linked: forget() lets go of it
  held->record = shared.record;
  return hold(info.Env(), std::move(held));
}

/// (handle, slots): 0… = facts, 16… = ns of each phase, 24 and 25 = faults, 26 to 29 = base, bias, bytes of
/// file mapped, bytes copied.
Napi::Value load_record(const Info& info) {
  const Held& held = held_at(info, 0);
  const Library& library = library_at(info, 0);
  double* out = slots_at(info, 1, kSlots);
  const LoadRecord& record = held.record;
  put_facts(record.facts, out);
  for (size_t i = 0; i < std::size(record.phase_ns); i++)
    out[16 + i] = static_cast<double>(record.phase_ns[i]);
  const Mapping& mapping = library.mapping();
  const uint64_t values[] = {record.minor_faults, record.major_faults,    mapping.base,
                             mapping.bias,        mapping.bytes_in_place, mapping.bytes_copied};
  for (size_t i = 0; i < std::size(values); i++) out[24 + i] = static_cast<double>(values[i]);
  return info.Env().Undefined();
}

/// (path, slots, start?, size?) -> fd; slots 0… = facts, 16 and 17 = the first two words of the image (0
/// where nothing can be read), 18 = its size.
Napi::Value open_file(const Info& info) {
  double* out = slots_at(info, 1, kSlots);
  StoredFile file(string_at(info, 0).c_str());
  put_facts(file.facts(), out);
  const uint64_t start = info[2].IsUndefined() ? 0 : unsigned_at(info, 2);
  const uint64_t size = image_size(file.facts().size, start, size_at(info, 3));
  uint32_t words[2] = {};
  const uint64_t wanted = size < sizeof words ? size : sizeof words;
  if (file.facts().medium == Medium::devdax)
    memcpy(words, SourceView(file.fd(), start, wanted, file.facts().granule).bytes(), wanted);
  else
    sys::pread(file.fd(), words, wanted, start);
  out[16] = words[0];
  out[17] = words[1];
  out[18] = static_cast<double>(size);
  return Napi::Number::New(info.Env(), file.release());
}

Napi::Value close_file(const Info& info) {
  sys::close(int_at(info, 0));
  return info.Env().Undefined();
}

/// (path, fd, start, size, slots, unit) -> handle; slots as in loader/image.ts: header from 0, segments from
/// 32, 8 each. `unit` is that of a device-dax node's mappings, 0 for a file.
Napi::Value read_image_file(const Info& info) {
  double* out = slots_at(info, 4, kSlots);
  Source source{int_at(info, 1), unsigned_at(info, 2), unsigned_at(info, 3), nullptr};
  const uint64_t unit = unsigned_at(info, 5);
  auto held = std::make_unique<Held>();
  if (unit != 0 && source.size != 0) {
    held->view = std::make_unique<SourceView>(source.fd, source.start, source.size, unit);
    source.view = held->view->bytes();
  }
  held->library = std::make_unique<Library>(string_at(info, 0), source);
  const Library* library = held->library.get();
  const Image& image = library->image();
  const uint64_t head[] = {static_cast<uint64_t>(library->kind()),
                           image.machine,
                           image.lo,
                           image.hi,
                           image.max_align,
                           image.relro.vaddr,
                           image.relro.size,
                           image.tls.vaddr,
                           image.tls.mem_size,
                           image.entry < kAddressLimit ? image.entry : kAddressLimit,
                           image.executable_stack,
                           library->dynamic().text_relocations,
                           image.dynamic.size,
                           image.segment_count};
  for (size_t i = 0; i < std::size(head); i++) out[i] = static_cast<double>(head[i]);
  for (uint32_t i = 0; i < image.segment_count; i++) {
    const Segment& s = image.segments[i];
    const uint64_t values[] = {s.index, s.flags, s.offset, s.file_size, s.vaddr, s.mem_size, s.align};
    for (size_t k = 0; k < std::size(values); k++) out[32 + 8 * i + k] = static_cast<double>(values[k]);
  }
  return hold(info.Env(), std::move(held));
}

void put_plan(const Plan& plan, double* out) {
  const uint64_t head[] = {plan.count, plan.lo, plan.hi, plan.alignment, plan.congruence, plan.granule};
  for (size_t i = 0; i < std::size(head); i++) out[i] = static_cast<double>(head[i]);
  for (uint32_t i = 0; i < plan.count; i++) {
    const PlannedSegment& s = plan.segments[i];
    const uint64_t values[] = {s.index,
                               s.file_offset,
                               s.file_size,
                               s.vaddr,
                               s.mem_size,
                               s.prot,
                               static_cast<uint64_t>(s.placement),
                               static_cast<uint64_t>(s.reason)};
    for (size_t k = 0; k < std::size(values); k++) out[32 + 8 * i + k] = static_cast<double>(values[k]);
  }
}

/// (handle, start, granule, private mappings, copy, slots): what plan_image makes of it, laid out by
/// put_plan.
Napi::Value plan_of(const Info& info) {
  double* out = slots_at(info, 5, kSlots);
  const StorageRules rules{unsigned_at(info, 1), unsigned_at(info, 2), info[3].ToBoolean()};
  if (rules.granule < page_size() || (rules.granule & (rules.granule - 1)) != 0)
    refuse_argument(info.Env(), "granule is not a power of two of at least a page");
  Plan plan;
  plan_image(library_at(info, 0).image(), rules, info[4].ToBoolean(), page_size(), plan);
  put_plan(plan, out);
  return info.Env().Undefined();
}

/// (handle, slots): the plan that a loaded image was mapped by.
Napi::Value plan_used(const Info& info) {
  put_plan(library_at(info, 0).plan(), slots_at(info, 1, kSlots));
  return info.Env().Undefined();
}

Napi::Value map_for_inspection(const Info& info) {
  Library& library = library_at(info, 0);
  library.require_open("map");
  library.map_for_inspection();
  return info.Env().Undefined();
}

Napi::Value close_image(const Info& info) {
  Held& held = held_at(info, 0);
  if (held.library == nullptr) return info.Env().Undefined();
  held.library->close();
  // Now, and not when the handle is collected: a loop of loads may run for long before that.
  if (!held.library->stays_mapped()) held.library.reset();
  held.view.reset();
  return info.Env().Undefined();
}

Napi::Value image_symbol(const Info& info) {
  return address(info.Env(), library_at(info, 0).symbol(string_at(info, 1).c_str()));
}

Napi::Value image_symbols(const Info& info) {
  return strings(info.Env(), library_at(info, 0).symbol_names());
}

Napi::Value image_symbol_at(const Info& info) {
  uint64_t distance = 0;
  const std::string name = library_at(info, 0).symbol_at(address_at(info, 1), distance);
  if (name.empty()) return info.Env().Undefined();
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("name", name);
  result.Set("distance", number(info.Env(), distance));
  return result;
}

/// What inspect prints beside the segments; the image is mapped or linked.
Napi::Value image_details(const Info& info) {
  const Napi::Env env = info.Env();
  const Library& library = library_at(info, 0);
  library.require_open("details");
  const RelocationCounts counts = library.relocations();
  Napi::Object relocations = Napi::Object::New(env);
  relocations.Set("relative", number(env, counts.relative));
  relocations.Set("symbol", number(env, counts.symbol));
  relocations.Set("irelative", number(env, counts.irelative));
  relocations.Set("tls", number(env, counts.tls));
  relocations.Set("text", number(env, counts.text));
  Napi::Object details = Napi::Object::New(env);
  details.Set("relocations", relocations);
  details.Set("needed", strings(env, library.needed()));
  details.Set("interpreter",
              library.image().has_interp ? Napi::String::New(env, library.image().interp) : env.Null());
  const auto string_or_null = [&](uint32_t offset) -> Napi::Value {
    return offset == kNoString ? env.Null() : Napi::Value(Napi::String::New(env, library.string(offset)));
  };
  details.Set("soname", string_or_null(library.dynamic().soname));
  details.Set("runpath", string_or_null(library.dynamic().runpath));
  details.Set("rpath", string_or_null(library.dynamic().rpath));
  details.Set("damaged", library.is_damaged());
  return details;
}

// ---- storage and evidence

/// (fd, offset, length): how the 2 MiB blocks inside that range of the file lie on its medium.
Napi::Value huge_layout_of(const Info& info) {
  const Napi::Env env = info.Env();
  const HugeLayout layout = huge_layout(int_at(info, 0), unsigned_at(info, 1), unsigned_at(info, 2));
  Napi::Object result = Napi::Object::New(env);
  result.Set("told", layout.told);
  result.Set("absolute", layout.absolute);
  result.Set("base", number(env, layout.base));
  result.Set("blocks", number(env, layout.blocks));
  result.Set("huge", number(env, layout.huge));
  result.Set("first", number(env, layout.first));
  result.Set("misalignment", number(env, layout.misalignment));
  return result;
}

/// (fd, offset) -> the extent there or behind; null where there is none, or the file system does not tell.
Napi::Value extent_of(const Info& info) {
  const Napi::Env env = info.Env();
  Extent extent;
  if (!extent_at(int_at(info, 0), unsigned_at(info, 1), extent)) return env.Null();
  Napi::Object result = Napi::Object::New(env);
  result.Set("logical", number(env, extent.logical));
  result.Set("physical", number(env, extent.physical));
  result.Set("length", number(env, extent.length));
  return result;
}

/// (fd, offset, length) -> pages and faults; null when the file shrank meanwhile.
Napi::Value faults_of_range(const Info& info) {
  const Napi::Env env = info.Env();
  TouchCount count;
  if (!count_faults(int_at(info, 0), unsigned_at(info, 1), unsigned_at(info, 2), count)) return env.Null();
  Napi::Object result = Napi::Object::New(env);
  result.Set("pages", number(env, count.pages));
  result.Set("faults", number(env, count.faults));
  return result;
}

/// (fd, mode, offset, length): fallocate(2).
Napi::Value allocate_file(const Info& info) {
  const int got = allocate(int_at(info, 0), int_at(info, 1), unsigned_at(info, 2), unsigned_at(info, 3));
  if (got == 0) return info.Env().Undefined();
  LoadFailure failure;
  fail_system(failure, "fallocate", got);
  throw failure;
}

Napi::Value file_capabilities(const Info& info) {
  return Napi::Boolean::New(info.Env(), has_file_capabilities(int_at(info, 0)));
}

Napi::Object census_object(Napi::Env env, const Census& census) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("pages", number(env, census.pages));
  result.Set("present", number(env, census.present));
  result.Set("nvm", number(env, census.nvm));
  result.Set("ram", number(env, census.ram));
  result.Set("other", number(env, census.other));
  result.Set("unknown", number(env, census.unknown));
  result.Set("anonymous", number(env, census.anonymous));
  result.Set("swapped", number(env, census.swapped));
  result.Set("readable", census.readable);
  return result;
}

Napi::Value census_of(const Info& info) {
  return census_object(info.Env(), take_census(0, address_at(info, 0), unsigned_at(info, 1)));
}

/// Each a census with `kind` (enum RangeKind), `address` and `length`.
Napi::Array ranges_array(Napi::Env env, const std::vector<RangeCensus>& ranges) {
  Napi::Array array = Napi::Array::New(env, ranges.size());
  for (uint32_t i = 0; i < ranges.size(); i++) {
    Napi::Object object = census_object(env, ranges[i].census);
    object.Set("kind", number(env, static_cast<uint64_t>(ranges[i].kind)));
    object.Set("address", address(env, ranges[i].address));
    object.Set("length", number(env, ranges[i].length));
    array.Set(i, object);
  }
  return array;
}

/// (handle, bias): the ranges of an image that this process has mapped, by whomever.
Napi::Value image_census(const Info& info) {
  return ranges_array(info.Env(), take_census(0, library_at(info, 0).image(), address_at(info, 1)));
}

/// (fd, start, size, path) -> Buffer over a private view of the file. Unmapped when the Buffer is collected.
/// (fd, start, size, path, unit?): a Buffer over a mapping. unit: of a device-dax, whose views must not be
/// written to.
Napi::Value view_file(const Info& info) {
  const uint64_t unit = info[4].IsUndefined() ? 0 : unsigned_at(info, 4);
  auto view = std::make_unique<View>(int_at(info, 0), unsigned_at(info, 1), unsigned_at(info, 2),
                                     string_at(info, 3), unit, info[5].IsBoolean() && info[5].ToBoolean());
  View* raw = view.get();
  auto buffer = Napi::Buffer<uint8_t>::New(
      info.Env(), raw->data(), raw->size(), [](Napi::Env, uint8_t*, View* owned) { delete owned; }, raw);
  view.release();
  return buffer;
}

/// (name, bytes, mode) -> descriptor of a file in memory that holds them (memfd_create(2)).
Napi::Value memory_file(const Info& info) {
  if (!info[1].IsTypedArray()) refuse_argument(info.Env(), "argument is not a Uint8Array");
  const auto bytes = info[1].As<Napi::Uint8Array>();
  const int fd = memfd_create(string_at(info, 0).c_str(), MFD_CLOEXEC);
  size_t done = 0;
  while (fd >= 0 && done < bytes.ByteLength()) {
    const ssize_t put = write(fd, bytes.Data() + done, bytes.ByteLength() - done);
    if (put <= 0) break;
    done += static_cast<size_t>(put);
  }
  if (fd >= 0 && done == bytes.ByteLength() && fchmod(fd, static_cast<mode_t>(int_at(info, 2))) == 0 &&
      lseek(fd, 0, SEEK_SET) == 0)
    return Napi::Number::New(info.Env(), fd);
  LoadFailure failure;
  fail_system(failure, "memfd_create", -errno);
  if (fd >= 0) close(fd);
  throw failure;
}

// ---- regions (the NVM interface)

Napi::Value open_region(const Info& info) {
  const int fd =
      open(string_at(info, 0).c_str(), int_at(info, 1) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, int_at(info, 2));
  if (fd >= 0) return Napi::Number::New(info.Env(), fd);
  LoadFailure failure;
  fail_system(failure, "open", -errno);
  throw failure;
}

Napi::Value sense_file(const Info& info) {
  put_facts(StoredFile(int_at(info, 0)).facts(), slots_at(info, 1, kSlots));
  return info.Env().Undefined();
}

/// (fd, start, length, prot, alignment, path, slots) -> address; slot 0 = 1 under MAP_SYNC.
Napi::Value map_region(const Info& info) {
  double* out = slots_at(info, 6, 1);
  const RegionMapping mapping = region_map(int_at(info, 0), unsigned_at(info, 1), unsigned_at(info, 2),
                                           int_at(info, 3), unsigned_at(info, 4), string_at(info, 5).c_str());
  out[0] = mapping.sync_mapping ? 1 : 0;
  return address(info.Env(), mapping.address);
}

Napi::Value unmap_region(const Info& info) {
  region_unmap(address_at(info, 0));
  return info.Env().Undefined();
}

Napi::Value protect_region(const Info& info) {
  region_protect(address_at(info, 0), unsigned_at(info, 1), int_at(info, 2));
  return info.Env().Undefined();
}

Napi::Value sync_region(const Info& info) {
  return Napi::Number::New(info.Env(),
                           region_sync(int_at(info, 2), address_at(info, 0), unsigned_at(info, 1)));
}

Napi::Buffer<uint8_t> bytes_at(const Info& info, size_t index) {
  if (!info[index].IsBuffer()) refuse_argument(info.Env(), "argument is not a Buffer or Uint8Array");
  return info[index].As<Napi::Buffer<uint8_t>>();
}

Napi::Value load_region(const Info& info) {
  auto to = bytes_at(info, 1);
  region_load(address_at(info, 0), to.Data(), to.Length());
  return info.Env().Undefined();
}

Napi::Value store_region(const Info& info) {
  auto from = bytes_at(info, 1);
  region_store(address_at(info, 0), from.Data(), from.Length());
  return info.Env().Undefined();
}

/// (fd, start, length, kind, wait) -> whether it is held; kind as enum RangeLock.
Napi::Value lock_file_range(const Info& info) {
  const uint64_t kind = unsigned_at(info, 3);
  if (kind > static_cast<uint64_t>(RangeLock::exclusive)) refuse_argument(info.Env(), "no such kind of lock");
  const bool held = lock_range(int_at(info, 0), unsigned_at(info, 1), unsigned_at(info, 2),
                               static_cast<RangeLock>(kind), info[4].ToBoolean());
  return Napi::Boolean::New(info.Env(), held);
}

/// (fd, start, length, slots) -> whether anybody else has a lock there; slots 0 and 1 = its start and end.
Napi::Value locked_file_range(const Info& info) {
  double* out = slots_at(info, 3, 2);
  LockedRange found;
  if (!find_locked(int_at(info, 0), unsigned_at(info, 1), unsigned_at(info, 2), found))
    return Napi::Boolean::New(info.Env(), false);
  out[0] = static_cast<double>(found.start);
  out[1] = static_cast<double>(found.end);
  return Napi::Boolean::New(info.Env(), true);
}

/// (fd, start): whether anything is stored from there on.
Napi::Value has_data_behind(const Info& info) {
  return Napi::Boolean::New(info.Env(), has_data(int_at(info, 0), unsigned_at(info, 1)));
}

Napi::Value allocate_file_range(const Info& info) {
  allocate_range(int_at(info, 0), unsigned_at(info, 1), unsigned_at(info, 2));
  return info.Env().Undefined();
}

Napi::Value crc32c_of(const Info& info) {
  auto bytes = bytes_at(info, 0);
  return Napi::Number::New(info.Env(), crc32c(bytes.Data(), bytes.Length()));
}

Napi::Value write_back_instruction(const Info& info) {
  return Napi::String::New(info.Env(), write_back_name(best_write_back()));
}

// ---- programs

/// (path, argv, environment), and where `held` is not 0 a descriptor there: see Command.
Command command_at(const Info& info, size_t held = 0) {
  Command command{string_at(info, 0), strings_at(info, 1), strings_at(info, 2)};
  if (held != 0) command.held = int_at(info, held);
  return command;
}

Napi::Value replace(const Info& info) {
  LoadFailure failure;
  fail_system(failure, "execve", replace_process(command_at(info, 3)));
  throw failure;
}

Napi::Object outcome_object(Napi::Env env, const ProcessOutcome& outcome) {
  Napi::Object result = Napi::Object::New(env);
  const int status = outcome.wait_status;
  result.Set("exitCode",
             WIFEXITED(status) ? Napi::Value(Napi::Number::New(env, WEXITSTATUS(status))) : env.Null());
  result.Set("signal",
             WIFSIGNALED(status) ? Napi::Value(Napi::Number::New(env, WTERMSIG(status))) : env.Null());
  result.Set("elapsedNs", number(env, outcome.elapsed_ns));
  result.Set("minorFaults", number(env, outcome.minor_faults));
  result.Set("majorFaults", number(env, outcome.major_faults));
  result.Set("privateBytes", outcome.traced ? number(env, outcome.private_bytes) : Napi::Value(env.Null()));
  result.Set("traced", outcome.traced);
  Napi::Array images = Napi::Array::New(env, outcome.images.images.size());
  for (uint32_t i = 0; i < images.Length(); i++) {
    const MappedImage& image = outcome.images.images[i];
    Napi::Object object = Napi::Object::New(env);
    object.Set("path", image.path);
    object.Set("bias", address(env, image.bias));
    object.Set("ranges", ranges_array(env, image.ranges));
    images.Set(i, object);
  }
  result.Set("images", images);
  result.Set("executable", outcome.images.executable);
  result.Set("isWatched", outcome.images.is_watched);
  return result;
}

Napi::Value supervise_program(const Info& info) {
  const ProcessOutcome outcome =
      supervise(command_at(info, 6), string_at(info, 3), unsigned_at(info, 4), info[5].ToBoolean());
  return outcome_object(info.Env(), outcome);
}

Napi::Value time_program(const Info& info) {
  return outcome_object(info.Env(), time_process(command_at(info)));
}

// ---- for comparison

Napi::Value usage_now(const Info& info) {
  put_usage(slots_at(info, 0, 2));
  return info.Env().Undefined();
}

Napi::Value dlopen_library(const Info& info) {
  void* handle = dlopen(string_at(info, 0).c_str(), RTLD_LAZY | RTLD_LOCAL);
  if (handle == nullptr) throw Napi::Error::New(info.Env(), dlerror());
  return address(info.Env(), reinterpret_cast<uint64_t>(handle));
}

Napi::Value dlsym_address(const Info& info) {
  void* handle = reinterpret_cast<void*>(address_at(info, 0));
  return address(info.Env(), reinterpret_cast<uint64_t>(dlsym(handle, string_at(info, 1).c_str())));
}

Napi::Value dlopen_base(const Info& info) {
  link_map* map = nullptr;
  if (dlinfo(reinterpret_cast<void*>(address_at(info, 0)), RTLD_DI_LINKMAP, &map) != 0)
    return address(info.Env(), 0);
  return address(info.Env(), map->l_addr);
}

/// (path, offset, length): the least that execution in place can cost: open, map text, touch its first byte.
Napi::Value map_floor(const Info& info) {
  const std::string path = string_at(info, 0);
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    LoadFailure failure;
    fail_system(failure, "open", -errno);
    throw failure;
  }
  const long got =
      sys::mmap(0, unsigned_at(info, 2), PROT_READ | PROT_EXEC, MAP_SHARED, fd, unsigned_at(info, 1));
  sys::close(fd);
  if (sys::failed(got)) {
    LoadFailure failure;
    fail_system(failure, "mmap", got) << path.c_str();
    throw failure;
  }
  const volatile uint8_t* text = reinterpret_cast<const uint8_t*>(got);
  return Napi::Number::New(info.Env(), text[0]);
}

/// (path): asks the kernel to drop the file's pages from the page cache; they must be clean.
Napi::Value drop_page_cache(const Info& info) {
  StoredFile file(string_at(info, 0).c_str());
  fdatasync(file.fd());
  return Napi::Number::New(info.Env(), posix_fadvise(file.fd(), 0, 0, POSIX_FADV_DONTNEED));
}

/// Reads a byte of each page; answers their sum, so that it can't be optimised away.
Napi::Value touch_pages(const Info& info) {
  const volatile uint8_t* bytes = reinterpret_cast<const uint8_t*>(address_at(info, 0));
  const uint64_t length = unsigned_at(info, 1);
  double sum = 0;
  for (uint64_t i = 0; i < length; i += page_size()) sum += bytes[i];
  return Napi::Number::New(info.Env(), sum);
}

/// Calls int (*)(void).
Napi::Value call_int(const Info& info) {
  return Napi::Number::New(info.Env(), reinterpret_cast<int (*)()>(address_at(info, 0))());
}

// ---- addons mapped in place

/// Set for the moment of one process.dlopen of this very file: Node makes a fresh napi_env for whoever
/// registers, and we pass it on to the init function of the addon mapped in place.
thread_local napi_addon_register_func pending_init = nullptr;
thread_local int32_t pending_version = 8;

Napi::Value set_pending_addon(const Info& info) {
  Library& library = library_at(info, 0);
  const uint64_t init = library.symbol("napi_register_module_v1");
  const uint64_t version = library.symbol("node_api_module_get_api_version_v1");
  pending_init = reinterpret_cast<napi_addon_register_func>(init);
  pending_version = version == 0 ? 8 : reinterpret_cast<int32_t (*)()>(version)();
  return Napi::Boolean::New(info.Env(), init != 0);
}

/// node.h's node_module, as far as it is read here.
struct V8Module {
  int version;
  unsigned flags;
  void* handle;
  const char* file_name;
  void* init;
  void* init_with_context;
  const char* name;
  void* data;
};

/// (handle, path of forward.node, NODE_MODULE_VERSION): Node's next process.dlopen of forward.node, on this
/// thread, is of this addon of the V8 API. -> whether it is one; else the version that it was built for, or
/// 0.
Napi::Value set_pending_v8_addon(const Info& info) {
  const Library& library = library_at(info, 0);
  const int version = int_at(info, 2);
  enum { kBySymbol = 1, kByContext, kPlain };
  void* const stub = dlopen(string_at(info, 1).c_str(), RTLD_LAZY);  // stays: -z nodelete
  void* const found = stub == nullptr ? nullptr : dlsym(stub, "insitu_forward_to");
  const auto forward = reinterpret_cast<void (*)(int, void*, void*)>(found);
  const uint64_t init = library.symbol(("node_register_module_v" + std::to_string(version)).c_str());
  const auto* module = static_cast<const V8Module*>(library.v8_module());
  if (forward == nullptr || (init == 0 && module == nullptr)) return Napi::Number::New(info.Env(), 0);
  if (init != 0)
    forward(kBySymbol, reinterpret_cast<void*>(init), nullptr);
  else if (module->version != version)
    return Napi::Number::New(info.Env(), module->version);
  else if (module->init_with_context != nullptr)
    forward(kByContext, module->init_with_context, module->data);
  else
    forward(kPlain, module->init, module->data);
  return Napi::Boolean::New(info.Env(), true);
}

wasm::LoadedImage loaded_image(const Info& info, size_t index) {
  const Held& held = held_at(info, index);
  return {&library_at(info, index), held.file.fd, held.file.start};
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  const auto set = [&](const char* name, Napi::Value (*function)(const Info&)) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  set("open", guarded_call<open_file>);
  set("close", guarded_call<close_file>);
  set("readImage", guarded_call<read_image_file>);
  set("load", guarded_call<load_library>);
  set("loadShared", guarded_call<load_shared_library>);
  set("loadRecord", guarded_call<load_record>);
  set("planOf", guarded_call<plan_of>);
  set("planUsed", guarded_call<plan_used>);
  set("mapForInspection", guarded_call<map_for_inspection>);
  set("closeImage", guarded_call<close_image>);
  set("imageSymbol", guarded_call<image_symbol>);
  set("imageSymbols", guarded_call<image_symbols>);
  set("imageSymbolAt", guarded_call<image_symbol_at>);
  set("imageDetails", guarded_call<image_details>);
  set("hugeLayout", guarded_call<huge_layout_of>);
  set("extentAt", guarded_call<extent_of>);
  set("countFaults", guarded_call<faults_of_range>);
  set("allocate", guarded_call<allocate_file>);
  set("fileCapabilities", guarded_call<file_capabilities>);
  set("census", guarded_call<census_of>);
  set("imageCensus", guarded_call<image_census>);
  set("view", guarded_call<view_file>);
  set("memoryFile", guarded_call<memory_file>);
  set("openRegion", guarded_call<open_region>);
  set("sense", guarded_call<sense_file>);
  set("mapRegion", guarded_call<map_region>);
  set("unmapRegion", guarded_call<unmap_region>);
  set("protectRegion", guarded_call<protect_region>);
  set("syncRegion", guarded_call<sync_region>);
  set("loadRegion", guarded_call<load_region>);
  set("storeRegion", guarded_call<store_region>);
  set("lockRange", guarded_call<lock_file_range>);
  set("lockedRange", guarded_call<locked_file_range>);
  set("allocateRange", guarded_call<allocate_file_range>);
  set("hasData", guarded_call<has_data_behind>);
  set("crc32c", guarded_call<crc32c_of>);
  set("writeBackInstruction", guarded_call<write_back_instruction>);
  set("replaceProcess", guarded_call<replace>);
  set("supervise", guarded_call<supervise_program>);
  set("timeProgram", guarded_call<time_program>);
  set("usage", guarded_call<usage_now>);
  set("dlopen", guarded_call<dlopen_library>);
  set("dlsym", guarded_call<dlsym_address>);
  set("dlopenBase", guarded_call<dlopen_base>);
  set("mapFloor", guarded_call<map_floor>);
  set("dropPageCache", guarded_call<drop_page_cache>);
  set("touchPages", guarded_call<touch_pages>);
  set("callInt", guarded_call<call_int>);
  set("setPendingAddon", guarded_call<set_pending_addon>);
  set("setPendingV8Addon", guarded_call<set_pending_v8_addon>);
  wasm::add_exports(env, exports, loaded_image);
  exports.Set("pageSize", number(env, page_size()));
  return exports;
}

}  // namespace
}  // namespace insitu

extern "C" NAPI_MODULE_EXPORT int32_t node_api_module_get_api_version_v1() {
  return insitu::pending_init != nullptr ? insitu::pending_version : NAPI_VERSION;
}

extern "C" NAPI_MODULE_EXPORT napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  const napi_addon_register_func forward = insitu::pending_init;
  insitu::pending_init = nullptr;
  return forward != nullptr ? forward(env, exports) : Napi::RegisterModule(env, exports, insitu::init);
}
