// For its gradients: under Node.js the core comes without any, and its own file of them does not load there. The layers
// package registers them all and needs nothing but the core.
import "@tensorflow/tfjs-layers";
import { MathBackendCPU } from "@tensorflow/tfjs-backend-cpu";

export * as tf from "@tensorflow/tfjs-core";

// The CPU backend advertises tfjs-node the first time it holds a tensor. Packages never print, and TensorFlow.js has
// no switch for this one text: let no backend of this class ever be at its first use.
Object.defineProperty(MathBackendCPU.prototype, "firstUse", { get: () => false, set: () => {}, configurable: true });
