# The addon: hosted C++ with exceptions. -z nodelete: Node must never unmap code that signal handlers point to.
ADDON_OBJECTS := $(addprefix $(OBJ)/addon/, elf.o dynamic.o symbols.o plan.o segments.o relocate.o scope.o fault.o \
	debugger.o unwind.o tls.o tls_arch.o library.o library_symbols.o load.o region.o file_range.o source_view.o checksum.o stored.o layout.o census.o ranges.o mapped.o process.o addon.o \
	$(addprefix wasm/, cpu.o image.o runtime.o instance.o binding.o enter.o))
ADDON_FLAGS := $(COMMON) -fPIC -ftls-model=initial-exec -D_GNU_SOURCE
ENTER_ARCH := $(if $(filter arm64,$(ARCH)),wasm/enter_aarch64.S,wasm/enter_x86_64.S)
TLS_ARCH := $(if $(filter arm64,$(ARCH)),tls_aarch64.S,tls_x86_64.S)

addon: $(OUT)/insitu.node $(OUT)/small.so $(OUT)/wasmtime_start

$(OUT)/small.so: small.c
	@mkdir -p $(@D)
	$(CC) -O2 -fPIC -shared -nostdlib -Wl,-z,relro,-z,now -o $@ $<

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
