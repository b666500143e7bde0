// Where things stand in an instance: the C struct that compiled code sees, and the same places as offsets for the
// description, by which native/wasm_instance.cc fills it.
import { type FunctionType, type Module, ValueType } from './module.ts';
import { C_TYPE, typeKey } from './signature.ts';

export interface Layout {
  /** Bytes of an instance. */
  size: number;
  memories: number;
  bases: number;
  functions: number;
  /** Of each table: of a pointer where it is imported, of the table itself where it is not. */
  tables: number[];
  /** Of each global: of a pointer where it is imported and mutable, else of the value. */
  globals: number[];
  tags: number;
  ownTags: number;
  /** Keys of the types that have none of their own, in order of their type index. */
  longTypes: number;
  /** Type indices without a key of their own. */
  longTypeIndices: number[];
  /** A byte for each data segment that is kept, then one for each element segment. */
  dropped: number;
  /** struct instance in C. */
  text: string;
}

const HEADER_BYTES = 24;
const FUNCTION_BYTES = 32;
const TABLE_BYTES = 32;

class StructWriter {
  at = HEADER_BYTES;
  readonly lines = ['  struct wasm_instance h;'];
  readonly asserts: string[] = [];

  field(declaration: string, name: string, bytes: number, align: number): number {
    this.at = Math.ceil(this.at / align) * align;
    const here = this.at;
    if (bytes > 0) {
      this.lines.push(`  ${declaration} __attribute__((aligned(${align})));`);
      this.asserts.push(`_Static_assert(__builtin_offsetof(instance, ${name}) == ${here}, "${name}");`);
      this.at += bytes;
    }
    return here;
  }

  /** Fields one after the other, asserted only as a whole: a module may have 100000 of them. */
  array(type: string, name: string, count: number, bytes: number): number {
    return this.field(`${type}${name}[${count}]`, name, count * bytes, 8);
  }
}

function cellBytes(type: ValueType): number {
  return type === ValueType.v128 ? 16 : type === ValueType.funcref ? FUNCTION_BYTES : 8;
}

export function isPointerGlobal(module: Module, index: number): boolean {
  return index < module.imported.globals && (module.globals[index]?.type.mutable ?? false);
}

/** The types that are used for calls through pointers and have no key of their own. */
function longTypes(types: FunctionType[]): number[] {
  return types.flatMap((type, index) => (typeKey(type) === null ? [index] : []));
}

/** `keptData`: how many data segments are not in the memory image. */
export function layOut(module: Module, keptData: number): Layout {
  const struct = new StructWriter();
  const memories = struct.array('struct wasm_memory *', 'm', module.memories.length, 8);
  const bases = struct.array('u8 *', 'b', module.memories.length, 8);
  const tags = struct.array('const struct wasm_tag *', 'tag', module.tags.length, 8);
  const tables = module.tables.map((_, index) =>
    index < module.imported.tables
      ? struct.field(`struct wasm_table *t${index}`, `t${index}`, 8, 8)
      : struct.field(`struct wasm_table t${index}`, `t${index}`, TABLE_BYTES, 8),
  );
  const globals = module.globals.map(({ type: { type } }, index) =>
    isPointerGlobal(module, index)
      ? struct.field(`${C_TYPE[type]} *g${index}`, `g${index}`, 8, 8)
      : struct.field(
          `${C_TYPE[type]} g${index}`,
          `g${index}`,
          cellBytes(type),
          type === ValueType.v128 ? 16 : 8,
        ),
  );
  const longTypeIndices = longTypes(module.types);
  const longTypeKeys = struct.array('u64 ', 'key', longTypeIndices.length, 8);
  const ownTags = struct.array('struct wasm_tag ', 'own_tag', module.tags.length - module.imported.tags, 8);
  const functions = struct.array('function ', 'f', module.imported.functions, FUNCTION_BYTES);
  const dropped = struct.array('u8 ', 'dropped', keptData + module.elements.length, 1);
  const size = Math.ceil(struct.at / 16) * 16;
  const text = `typedef struct instance {\n${struct.lines.join('\n')}\n} instance;\n${struct.asserts.join('\n')}\n`;
  return {
    size,
    memories,
    bases,
    functions,
    tables,
    globals,
    tags,
    ownTags,
    longTypes: longTypeKeys,
    longTypeIndices,
    dropped,
    text,
  };
}
