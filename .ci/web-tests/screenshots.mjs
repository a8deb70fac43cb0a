// The pictures in docs/images. The data is made up, but plausible.

export async function screenshots() {}
