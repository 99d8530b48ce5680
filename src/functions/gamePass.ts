import { gamePassContract } from '../shared/contract/gamePass.ts';
import { serve } from '../shared/http/serve.ts';
import { services } from '../shared/services.ts';

serve(gamePassContract, {
  POST: async ({ body }, call) => ({ body: await services().gamePass(call, body) }),
});
