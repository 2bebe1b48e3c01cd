/**
 * The contracts every part keeps. A resource is described once, by its kind; apply, plan, destroy, the equal CLI
 * commands and the cost are renderings of that description. Nothing here knows AWS or a terminal.
 *
 * To read them, begin with kind (one description for each sort of thing), then resource and step, then what a run says and
 * asks: event, ui, error. Most parts may import this file and nothing else of the engine (biome.json).
 */
export * from './contracts/error.ts';
export * from './contracts/event.ts';
export * from './contracts/kind.ts';
export * from './contracts/resource.ts';
export * from './contracts/step.ts';
export * from './contracts/ui.ts';
