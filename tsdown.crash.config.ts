import { defineConfig } from 'tsdown';

// The crash matrix as plain JavaScript, so that every Node that runs the product runs it. Not shipped.
export default defineConfig({
  entry: { main: 'test/crash/main.ts' },
  format: 'esm',
  platform: 'node',
  target: 'node20',
  outDir: '.crash-matrix/run',
  clean: true,
  dts: false,
  outputOptions: { entryFileNames: '[name].js' },
});
