export class StoreError extends Error {
  override name = 'StoreError';
}

/** Made by newer software. */
export class StoreTooNewError extends StoreError {
  override name = 'StoreTooNewError';
}

/** Not a store of ours, or damaged. */
export class StoreCorruptError extends StoreError {
  override name = 'StoreCorruptError';
}

/** Another process has it open. */
export class StoreInUseError extends StoreError {
  override name = 'StoreInUseError';
}

/** More writes are waiting for the disk than the bound allows. */
export class StoreBusyError extends StoreError {
  override name = 'StoreBusyError';
}
