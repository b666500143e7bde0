// Defects to be planted, so that a run which finds nothing means something: one check less in a copy of the source.

export interface Plant {
  name: string;
  /** In native/. */
  file: string;
  /** Stands in the file once. */
  check: string;
  instead: string;
}

export const plants: Plant[] = [
  {
    name: 'write-anywhere',
    file: 'relocate.cc',
    check: 'if (in != nullptr && (in->flags & PF_W)) {',
    instead: 'if (in != nullptr) {',
  },
  {
    name: 'write-over-the-end',
    file: 'relocate.cc',
    check: 'target_last_ = in->end() - 8;',
    instead: 'target_last_ = in->end() - 1;',
  },
  {
    name: 'write-in-front',
    file: 'relocate.cc',
    check: 'if (rela.r_offset < target_first_ || ',
    instead: 'if (',
  },
  {
    name: 'any-symbol-index',
    file: 'relocate.cc',
    check: 'if (entry.symbol >= tables_.symbol_limit)',
    instead: 'if (false)',
  },
  {
    name: 'unterminated-strings',
    file: 'dynamic.cc',
    check: " || last != '\\0')",
    instead: ')',
  },
  {
    name: 'endless-chain',
    file: 'symbols.cc',
    check: 'index < t.symbol_limit && chain_at + (index - first) < words;',
    instead: 'true;',
  },
  {
    name: 'table-outside',
    file: 'dynamic.cc',
    check: '(entry >= 8 && vaddr % 8 != 0) || image.table_at(vaddr, size) == nullptr',
    instead: 'entry >= 8 && vaddr % 8 != 0',
  },
  {
    name: 'overlapping-plan',
    file: 'segments.cc',
    check: 'if ((pages.vaddr < taken && !shares) || ',
    instead: 'if (',
  },
  {
    name: 'pages-behind-the-file',
    file: 'segments.cc',
    check: 'if (of_file && page_up(s.vaddr + s.mem_size, plan.page) >',
    instead: 'if (of_file && kAddressLimit <',
  },
  {
    name: 'never-sealed',
    file: 'segments.cc',
    check: 'if (of_file || (s.prot & PROT_WRITE)) continue;',
    instead: 'continue;',
  },
];
