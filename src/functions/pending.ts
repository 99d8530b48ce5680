import { pendingContract } from '../shared/contract/pending.ts';
import { serve } from '../shared/http/serve.ts';
import { pending } from '../shared/services/pending.ts';

serve(pendingContract, {
  GET: async ({ query }) => ({ body: await pending()(query) }),
});
