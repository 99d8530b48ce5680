import { serviceTicketsContract } from '../shared/contract/operations.ts';
import { serve } from '../shared/http/serve.ts';
import { services } from '../shared/services.ts';

serve(serviceTicketsContract, {
  GET: async (_input, call) => ({
    body: await services().serviceTickets(call),
    headers: { 'cache-control': 'no-store' },
  }),
});
