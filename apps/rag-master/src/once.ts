/** Something that is made when it is first asked for. */
export interface Once<T> {
  (): Promise<T>;
  /** What there is by now; it is not made for the asking. */
  begun(): Promise<T> | undefined;
}

/** Makes it at the first call, and gives the same to all. */
export function once<T>(make: () => Promise<T>): Once<T> {
  let made: Promise<T> | undefined;
  return Object.assign(
    () => {
      made ??= make();
      return made;
    },
    { begun: () => made },
  );
}
