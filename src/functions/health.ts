import { healthContract } from '../shared/contract/operations.ts';
import { serve } from '../shared/http/serve.ts';
import { services } from '../shared/services.ts';

serve(healthContract, {
  GET: async (_input, call) => {
    const health = await services().health(call);
    return { status: health.status === 'ok' ? 200 : 503, body: health };
  },
});
