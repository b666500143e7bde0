// Packages that only components need: whoever installs or runs some has them installed.
import { LoadError } from '../error.ts';

/** @param path what wants it @throws LoadError ERR_PACKAGE where it is not installed */
export async function optional<T>(name: string, path: string): Promise<T> {
  try {
    return (await import(name)) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    const [scope, base] = name.split('/');
    const text = `is a component; want npm's ${scope}/${base} for it (npm install ${scope}/${base})`;
    throw new LoadError('ERR_PACKAGE', path, text);
  }
}
