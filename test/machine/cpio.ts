// Archives for the kernel's initramfs: cpio in the "new ASCII" form (initramfs buffer format, kernel documentation).

export interface ArchiveFile {
  /** Without a leading slash; directories above it must come first. */
  name: string;
  /** None: a directory. */
  content?: Buffer | string;
  mode?: number;
}

const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;

function entry(name: string, mode: number, inode: number, content: Buffer): Buffer[] {
  const path = Buffer.from(`${name}\0`);
  const fields = [inode, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, path.length, 0];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
  return [Buffer.from(header), path, padding(110 + path.length), content, padding(content.length)];
}

const padding = (length: number) => Buffer.alloc((4 - (length % 4)) % 4);

/** Archives may follow each other in one initramfs: a later file of the same name wins. */
export function archive(files: readonly ArchiveFile[]): Buffer {
  const parts = files.flatMap(({ name, content, mode }, i) =>
    content === undefined
      ? entry(name, S_IFDIR | (mode ?? 0o755), i + 1, Buffer.alloc(0))
      : entry(name, S_IFREG | (mode ?? 0o644), i + 1, Buffer.from(content)),
  );
  return Buffer.concat([...parts, ...entry('TRAILER!!!', 0, 0, Buffer.alloc(0))]);
}
