"""Design to density: latent violence, then evidence, then both in one kernel and in one PyMC model."""
