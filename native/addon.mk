# The addon: hosted C++ with exceptions. -z nodelete: Node must never unmap code that signal handlers point to.
ADDON_OBJECTS := $(addprefix $(OBJ)/addon/, elf.o dynamic.o symbols.o plan.o segments.o relocate.o scope.o fault.o \
	debugger.o unwind.o tls.o tls_arch.o library.o library_symbols.o load.o shared.o undefined.o region.o file_range.o source_view.o checksum.o stored.o layout.o census.o ranges.o mapped.o process.o addon.o \
	$(addprefix wasm/, cpu.o image.o known.o runtime.o instance.o binding.o enter.o))
ADDON_FLAGS := $(COMMON) -fPIC -ftls-model=initial-exec -D_GNU_SOURCE
ENTER_ARCH := $(if $(filter arm64,$(ARCH)),wasm/enter_aarch64.S,wasm/enter_x86_64.S)
TLS_ARCH := $(if $(filter arm64,$(ARCH)),tls_aarch64.S,tls_x86_64.S)

addon: $(OUT)/insitu.node $(OUT)/forward.node $(OUT)/small.so $(OUT)/wasmtime_start

$(OUT)/small.so: small.c
	@mkdir -p $(@D)
	$(CC) -O2 -fPIC -shared -nostdlib -Wl,-z,relro,-z,now -o $@ $<

$(OUT)/forward.node: forward.c
	@mkdir -p $(@D)
	$(CC) -O2 -Wall -Wextra -Werror -fPIC -fvisibility=hidden -shared -Wl,-z,relro,-z,now,-z,nodelete -o $@ $<

$(OUT)/wasmtime_start: wasmtime_start.c
	@mkdir -p $(@D)
	$(CC) -O2 -Wall -Wextra -Werror -Wl,-z,relro,-z,now -o $@ $< -ldl

$(OUT)/insitu.node: $(ADDON_OBJECTS)
	@mkdir -p $(@D)
	$(CXX) -shared -Wl,-z,relro,-z,now,-z,nodelete,-z,separate-code -Wl,--exclude-libs,ALL -o $@.new $^ -ldl
	@mv $@.new $@

$(OBJ)/addon/addon.o $(OBJ)/addon/wasm/binding.o: CPPFLAGS += $(NODE_API) -DNAPI_CPP_EXCEPTIONS -DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
$(OBJ)/addon/%.o: %.cc
	@mkdir -p $(@D)
	$(CXX) $(ADDON_FLAGS) $(CPPFLAGS) -c -o $@ $<
$(OBJ)/addon/tls_arch.o: $(TLS_ARCH)
	@mkdir -p $(@D)
	$(CXX) -c -o $@ $<
$(OBJ)/addon/wasm/enter.o: $(ENTER_ARCH)
	@mkdir -p $(@D)
	$(CXX) -c -o $@ $<

# The accelerator (v8/) is for one major version of V8, and wants its headers. Those of the Node that builds are used
# where they lie beside it; V8_HEADERS=DIR builds one for another Node.
ifeq ($(origin V8_HEADERS),undefined)
V8_HEADERS := $(shell node v8/headers.cjs)
endif
ifneq ($(and $(V8_HEADERS),$(filter x64,$(ARCH))),)
V8_MODULES := $(shell awk '/define NODE_MODULE_VERSION [0-9]/ { print $$3 }' $(V8_HEADERS)/node_version.h)
V8_OBJ := $(OBJ)/v8-$(V8_MODULES)
V8_ADDON := $(OUT)/insitu-v8-$(V8_MODULES).node
V8_OBJECTS := $(addprefix $(V8_OBJ)/, accelerator.o link.o calls.o)

addon: $(V8_ADDON)
.PHONY: accelerator
accelerator: $(V8_ADDON)

$(V8_ADDON): $(V8_OBJECTS)
	@mkdir -p $(@D)
	$(CXX) -shared -Wl,-z,relro,-z,now,-z,nodelete,-z,separate-code -o $@.new $^
	@! nm -DuC $@.new | grep insitu::wasm # only the addon has those
	@mv $@.new $@
# V8 has headers whose parameters are unused.
$(V8_OBJ)/%.o: v8/%.cc
	@mkdir -p $(@D)
	$(CXX) $(COMMON) -fPIC -ftls-model=initial-exec -D_GNU_SOURCE -isystem $(V8_HEADERS) -c -o $@ $<
endif
