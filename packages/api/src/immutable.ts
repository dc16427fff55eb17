/** A body of the wire as its readers see it: all of its lists and objects are read-only. */
export type Immutable<Body> = Body extends (infer Item)[]
  ? readonly Immutable<Item>[]
  : Body extends object
    ? { readonly [Field in keyof Body]: Immutable<Body[Field]> }
    : Body
