// After a change Lambda's functions are updated for a while.
import { lambda, name as inPath } from './api.js';

// settled waits until the last update of a function is over, and fails if it failed.
export async function settled(name) {
  for (let turn = 0; turn < 120; turn++) {
    const f = await lambda('GET', `/2015-03-31/functions/${inPath(name)}/configuration`);
    if (f.LastUpdateStatus === 'Failed') throw Object.assign(new Error(f.LastUpdateStatusReason ?? 'the update has failed'), { status: 200, code: f.LastUpdateStatusReasonCode });
    if (f.LastUpdateStatus !== 'InProgress' && f.State !== 'Pending') return f;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  throw Object.assign(new Error('The update takes long. The page shows it when it is done.'), { status: 200 });
}
