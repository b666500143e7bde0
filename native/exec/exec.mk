# insitu-exec: freestanding and self-contained. Nothing of a C library may be pulled in, because the program that is
# started brings its own; general registers only, so that no vector register reaches the program with our data in it.
RUNNER_OBJ := $(OBJ)/exec
RUNNER_PARTS := $(CORE) entry options report pages target load stack identity main
RUNNER_FLAGS := -Os -ffreestanding -fno-exceptions -fno-rtti -fno-stack-protector -fno-threadsafe-statics -fPIE \
  -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -fno-jump-tables \
  -fno-tree-switch-conversion -mgeneral-regs-only \
  -iquote . $(if $(filter x64,$(ARCH)),-fcf-protection=none)
RUNNER_LINK := -static-pie -nostdlib -nostartfiles -Wl,-T,exec/exec.ld -Wl,-z,norelro -Wl,--build-id=none \
  -s -Wl,--gc-sections -Wl,--fatal-warnings

runner: $(OUT)/insitu-exec
$(OUT)/insitu-exec: $(RUNNER_PARTS:%=$(RUNNER_OBJ)/%.o) exec/exec.ld
	@mkdir -p $(@D)
	$(CXX) $(RUNNER_LINK) -o $@.new $(filter %.o,$^) -lgcc && mv $@.new $@
$(RUNNER_OBJ)/%.o: exec/%.cc exec/exec.mk
	@mkdir -p $(@D)
	$(CXX) $(COMMON) $(RUNNER_FLAGS) -c -o $@ $<
$(RUNNER_OBJ)/%.o: %.cc exec/exec.mk
	@mkdir -p $(@D)
	$(CXX) $(COMMON) $(RUNNER_FLAGS) -c -o $@ $<
