import { eventsAckContract } from '../shared/contract/events.ts';
import { serve } from '../shared/http/serve.ts';
import { services } from '../shared/services.ts';

serve(eventsAckContract, {
  POST: async ({ body }) => ({ body: { acknowledged: await services().feed.acknowledge(body.ids) } }),
});
