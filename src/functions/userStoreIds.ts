import { storeIdsContract } from '../shared/contract/storeIds.ts';
import { serve } from '../shared/http/serve.ts';
import { storeIds } from '../shared/services/storeIds.ts';

serve(storeIdsContract, {
  GET: async ({ path }) => ({ body: await storeIds().list(path.userId) }),
  PUT: async ({ path, body }, call) => ({ body: await storeIds().register(call, path.userId, body) }),
  DELETE: async ({ path }) => {
    await storeIds().remove(path.userId);
    return { status: 204 };
  },
});
