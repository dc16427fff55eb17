/** What `XDG_CACHE_HOME` is for processes that tests start: model files are fetched once for all of them. */
export declare const testCacheHome: string
/** The default model's GGUF in the checkout's own cache; fetched once (98 MB), by whichever test comes first. */
export declare function defaultModelPath(): Promise<string>
