import { entitlementsContract } from '../shared/contract/entitlements.ts';
import { serve } from '../shared/http/serve.ts';
import { entitlements } from '../shared/services/entitlements.ts';

serve(entitlementsContract, {
  POST: async ({ body }, call) => ({ body: await entitlements()(call, body) }),
});
