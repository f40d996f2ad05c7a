export { type CheckGradientOptions, checkGradient } from "./testing/check-gradient.ts";
export { type CloseOptions, expectClose, type Values } from "./testing/expect-close.ts";
export { expectNoLeaks } from "./testing/expect-no-leaks.ts";
