import { defineConfig } from 'tsdown';

// The services API: one file that Debian 12's Node 18 runs, put where the role services_api copies it from.
export default defineConfig({
  entry: { 'services-api': 'src/services-api/main.ts' },
  format: 'esm',
  platform: 'node',
  target: 'node18',
  outDir: 'deployment/roles/services_api/files',
  clean: false,
  dts: false,
  minify: false,
  treeshake: true,
  // pg loads its native variant only when asked to.
  deps: { alwaysBundle: [/.*/], neverBundle: ['pg-native'] },
  inputOptions: { resolve: { mainFields: ['module', 'main'] } },
  outputOptions: { entryFileNames: '[name].mjs', codeSplitting: false },
});
