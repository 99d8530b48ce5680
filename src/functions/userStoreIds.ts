import { storeIdsContract } from '../shared/contract/storeIds.ts';
import { serve } from '../shared/http/serve.ts';
import { services } from '../shared/services.ts';

serve(storeIdsContract, {
  GET: async ({ path }) => ({ body: await services().storeIds.list(path.userId) }),
  PUT: async ({ path, body }, call) => ({ body: await services().storeIds.register(call, path.userId, body) }),
  DELETE: async ({ path }) => {
    await services().storeIds.forget(path.userId);
    return { status: 204 };
  },
});
