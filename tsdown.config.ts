import { defineConfig } from 'tsdown';

// One entry, split at every dynamic import: `--help` must not pay for the AWS clients.
// The dependencies are bundled too (main fields module first, or tree shaking fails): loading
// hundreds of small files is what makes Node command-line tools slow to start.
export default defineConfig({
  entry: { cli: 'src/cli.ts' },
  format: 'esm',
  platform: 'node',
  target: 'node20',
  outDir: 'dist',
  clean: true,
  dts: false,
  minify: false,
  treeshake: true,
  deps: { alwaysBundle: [/.*/] },
  inputOptions: { resolve: { mainFields: ['module', 'main'] } },
  outputOptions: { entryFileNames: '[name].js', chunkFileNames: 'chunks/[name]-[hash].js' },
});
