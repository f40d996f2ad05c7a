import { defineConfig, type ViteUserConfig } from "vitest/config";

const config: ViteUserConfig = defineConfig({
  // Tests read the packages' sources, so that they need no build.
  resolve: { conditions: ["@clara/source"] },
  ssr: { resolve: { conditions: ["@clara/source"] } },
  test: {
    include: ["packages/*/src/**/*.test.ts", "apps/*/src/**/*.test.ts", "tests/**/*.test.ts", "examples/**/*.test.ts"],
    // Child processes and worker threads that a test starts must see the sources too.
    env: { NODE_OPTIONS: "--conditions=@clara/source" },
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});

export default config;
