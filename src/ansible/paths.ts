import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Folder of the installed package: the nearest one above this file whose package.json is cloudspace's. It holds guide/ and deployment/, both
 * when run from the sources and from the bundle. Throws Error when there is none (a broken installation).
 */
export function packageRoot(): string {
  const start = dirname(fileURLToPath(import.meta.url));
  for (let folder = start; ; folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    if (existsSync(manifest) && isOurs(readFileSync(manifest, 'utf8'))) return folder;
    if (folder === dirname(folder))
      throw new Error(`no package.json of cloudspace above ${start}: the installation is incomplete, install it again`);
  }
}

function isOurs(manifest: string): boolean {
  try {
    return (JSON.parse(manifest) as { name?: unknown }).name === 'cloudspace';
  } catch {
    return false;
  }
}

/** The reference deployment repository that comes with the product. */
export function referenceDeployment(): string {
  return join(packageRoot(), 'deployment');
}

/** Folder of the callback plugin that reports each task. It is ours whichever deployment repository is used. */
export function callbackPlugins(): string {
  return join(packageRoot(), 'deployment', 'callback_plugins');
}
