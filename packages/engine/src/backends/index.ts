export { borrowKernels } from "./borrow-kernels.ts";
export { autoOrder, type ChosenEngine, chooseEngine, type EngineName } from "./choose-engine.ts";
export { type DiagnosedName, type Diagnosis, diagnose, type Trouble, troubleOf } from "./diagnose.ts";
export { prepareEnvironment } from "./environment.ts";
export { findInstall, installNote, type TensorflowInstall } from "./find-install.ts";
export { backendNames, type LoadBackendOptions, loadBackend } from "./load-backend.ts";
export {
  type CudaFindings,
  type CudaHost,
  cudaGeneration,
  cudaProviderFiles,
  cudaProviderNote,
  diagnoseCuda,
} from "./ort-cuda.ts";
export {
  type BackendDetails,
  type BackendName,
  type LoadedBackend,
  type OpenRequire,
  type Require,
  type Tf,
  tfjsVersion,
} from "./types.ts";
